//! Writes a mail and sends it to the mail server.

use std::sync::{Mutex, PoisonError};

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::connection::{Connections, UrlError};
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
    server: Connections,
    /// Why the mail server takes nothing now, if it does not.
    unavailable: Mutex<Option<String>>,
    from: Mailbox,
    portal_url: String,
    cap: i32,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// The mail server's URL.
    #[error("the mail server's URL cannot be used; write smtp://host:25 or smtps://user:password@host")]
    Url(#[source] UrlError),
    /// The sender.
    #[error("the sender cannot be used; write Lockbox <lockbox@fabrikam.example>")]
    From(#[source] AddressError),
}

/// What became of the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// It takes no mail from Lockbox now, and why.
    TakesNothing(String),
    /// It takes mail again.
    TakesMail,
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

impl Mailer {
    /// A mailer that keeps connections open.
    ///
    /// # Errors
    /// When the URL or the sender cannot be used.
    pub fn new(settings: &MailSettings) -> Result<Self, MailSettingsError> {
        let server = Connections::new(&settings.url).map_err(MailSettingsError::Url)?;
        let from = settings.from.parse().map_err(MailSettingsError::From)?;
        Ok(Self {
            server,
            unavailable: Mutex::default(),
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
        format!("<{}@{}>", self.identity(letter), self.from.email.domain())
    }

    fn identity(&self, letter: &Letter) -> String {
        let request = letter.request().map(|(request, _)| format!(".{request}")).unwrap_or_default();
        format!("{}{request}", letter.notification())
    }

    /// Writes the mail, with the log's latest checkpoint at its foot, and sends it.
    pub async fn send(&self, letter: &Letter, checkpoint: Option<&str>) -> Outcome {
        let address: Address = match letter.recipient().address.parse() {
            Ok(address) => address,
            Err(fault) => {
                let address = &letter.recipient().address;
                return Outcome::Permanent(format!("the address {address:?} cannot be used: {fault}"));
            }
        };
        match self.write(letter, address.clone(), checkpoint) {
            Ok(message) => self.server.send(Some(&self.from.email), &address, &message.formatted()).await,
            Err(reason) => Outcome::Permanent(reason),
        }
    }

    /// Sends the bytes of a mail of somebody else on, without an address that anything could be returned to.
    pub async fn forward(&self, address: &str, mail: &[u8]) -> Outcome {
        match address.parse::<Address>() {
            Ok(address) => self.server.send(None, &address, mail).await,
            Err(fault) => Outcome::Permanent(format!("the address {address:?} cannot be used: {fault}")),
        }
    }

    /// Notes what the mail server did, and answers with what changed, if anything: it takes no mail any more, or it
    /// takes mail again.
    pub fn note(&self, outcome: &Outcome) -> Option<ServerChange> {
        let mut unavailable = self.unavailable.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Unavailable(reason) => {
                let is_new = unavailable.is_none();
                *unavailable = Some(reason.clone());
                is_new.then(|| ServerChange::TakesNothing(reason.clone()))
            }
            Outcome::Done => unavailable.take().map(|_| ServerChange::TakesMail),
            Outcome::Transient(_) | Outcome::Permanent(_) => None,
        }
    }

    fn write(&self, letter: &Letter, address: Address, checkpoint: Option<&str>) -> Result<Message, String> {
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
            // Asks out-of-office programs to stay silent: RFC 3834, and Exchange, which does not read that.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"))
            // What the mail is about, for filters: the subject is the same for all mails of a request.
            .raw_header(header("X-Lockbox-Happening", letter.template()))
            // Which mail it is, for when it comes back through a server that gave it another Message-ID.
            .raw_header(header("X-Lockbox-Notice", &self.identity(letter)))
            .multipart(MultiPart::alternative_plain_html(composed.text, composed.html))
            .map_err(|fault| fault.to_string())
    }
}
