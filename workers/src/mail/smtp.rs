//! Handing a mail to the mail server.

use lettre::address::AddressError;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::letter::Letter;
use crate::settle::Outcome;

/// How mail leaves the house.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtp://host:port` or `smtps://user:password@host`; `smtp://…?tls=required` for STARTTLS.
    pub url: String,
    /// Sender, such as `Lockbox <lockbox@fabrikam.example>`.
    pub from: String,
    /// Where the portal is, for the links; links show, they decide nothing.
    pub portal_url: String,
    /// Most mails to one address in an hour; what is more waits for the next.
    pub cap: i32,
}

/// Sends mail.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    portal_url: String,
    cap: i32,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// The mail server's URL.
    #[error("the mail server's URL cannot be used; write smtp://host:25 or smtps://user:password@host")]
    Url(#[source] lettre::transport::smtp::Error),
    /// The sender.
    #[error("the sender cannot be used; write Lockbox <lockbox@fabrikam.example>")]
    From(#[source] AddressError),
}

/// Tells out-of-office robots to stay silent (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What a mail is about, for filters: the subject is the same for all mails of a request.
#[derive(Clone)]
struct Happening(String);

impl Header for Happening {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Lockbox-Happening")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

impl Mailer {
    /// A mailer with a pool of connections.
    ///
    /// # Errors
    /// When the URL or the sender cannot be used.
    pub fn new(settings: &MailSettings) -> Result<Self, MailSettingsError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.url)
            .map_err(MailSettingsError::Url)?
            .pool_config(PoolConfig::new().max_size(16))
            .build();
        let from = settings.from.parse().map_err(MailSettingsError::From)?;
        Ok(Self {
            transport,
            from,
            portal_url: settings.portal_url.trim_end_matches('/').to_owned(),
            cap: settings.cap,
        })
    }

    /// Most mails to one address in an hour.
    pub fn cap(&self) -> i32 {
        self.cap
    }

    /// `Message-ID` of a notice: the same for every try, and naming its request, for when it comes back.
    pub fn message_id(&self, letter: &Letter) -> String {
        let request = letter.request().map(|(request, _)| format!(".{request}")).unwrap_or_default();
        format!("<{}{request}@{}>", letter.notice(), self.from.email.domain())
    }

    /// Writes the mail, with the log's latest checkpoint at its foot, and hands it over.
    pub async fn send(&self, letter: &Letter, checkpoint: Option<&str>) -> Outcome {
        let message = match self.write(letter, checkpoint) {
            Ok(message) => message,
            Err(reason) => return Outcome::Permanent(reason),
        };
        match self.transport.send(message).await {
            Ok(_) => Outcome::Done,
            Err(fault) if fault.is_permanent() => Outcome::Permanent(fault.to_string()),
            Err(fault) => Outcome::Transient(crate::engine::chain(&fault)),
        }
    }

    fn write(&self, letter: &Letter, checkpoint: Option<&str>) -> Result<Message, String> {
        let address = letter.recipient().address.parse().map_err(|fault: AddressError| {
            format!("the address {:?} cannot be used: {fault}", letter.recipient().address)
        })?;
        let name = Some(letter.recipient().name.clone()).filter(|name| !name.is_empty());
        let composed =
            letter.compose(&self.portal_url).map_err(|fault| format!("the mail cannot be written: {fault}"))?;
        let composed = super::footer::under(composed, checkpoint);
        // All mails about one request hang on one thread; so do those about a tenant's settings.
        let thread = format!("<{}@{}>", letter.thread(), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, address))
            .subject(composed.subject)
            .message_id(Some(self.message_id(letter)))
            .in_reply_to(thread.clone())
            .references(thread)
            .header(AutoSubmitted)
            .header(Happening(letter.template().to_owned()))
            .multipart(MultiPart::alternative_plain_html(composed.text, composed.html))
            .map_err(|fault| fault.to_string())
    }
}
