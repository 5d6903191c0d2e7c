//! Creates a mail and sends it to the mail server.

use std::sync::{Mutex, PoisonError};

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::connection::{Connections, UrlError};
use super::footer::Footer;
use super::letter::Letter;
use crate::settle::Outcome;

/// Settings for sending mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtp://host:port` or `smtps://user:password@host`; `smtp://…?tls=required` for STARTTLS.
    pub url: String,
    /// Sender, such as `Lockbox <lockbox@fabrikam.example>`.
    pub from: String,
    /// Address of the portal for links. A link opens a page and decides nothing.
    pub portal_url: String,
    /// Most mails to one address in an hour; more are deferred to the next hour.
    pub cap: i32,
}

/// Sends mail.
pub struct Mailer {
    server: Connections,
    /// Why the mail server is unavailable, if it is.
    unavailable: Mutex<Option<String>>,
    from: Mailbox,
    portal_url: String,
    cap: i32,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// The mail server's URL.
    #[error("the URL of the mail server is not valid; use smtp://host:25 or smtps://user:password@host")]
    Url(#[source] UrlError),
    /// The sender.
    #[error("the sender is not valid; use a form such as Lockbox <lockbox@fabrikam.example>")]
    From(#[source] AddressError),
}

/// A change in the availability of the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// It accepts no mail from Lockbox now, for this reason.
    Unavailable(String),
    /// It accepts mail again.
    Available,
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

    /// `Message-ID` of a notification: the same on every attempt. It contains the request's id, so that a bounce can be
    /// assigned.
    pub fn message_id(&self, letter: &Letter) -> String {
        format!("<{}@{}>", self.identity(letter), self.from.email.domain())
    }

    fn identity(&self, letter: &Letter) -> String {
        let request = letter.request().map(|(request, _)| format!(".{request}")).unwrap_or_default();
        format!("{}{request}", letter.notification())
    }

    /// Creates the mail with its footer, and sends it.
    pub async fn send(&self, letter: &Letter, footer: &Footer) -> Outcome {
        let address: Address = match letter.recipient().address.parse() {
            Ok(address) => address,
            Err(fault) => {
                let address = &letter.recipient().address;
                return Outcome::Permanent(format!("the address {address:?} is not valid: {fault}"));
            }
        };
        match self.write(letter, address.clone(), footer) {
            Ok(message) => self.server.send(Some(&self.from.email), &address, &message.formatted()).await,
            Err(reason) => Outcome::Permanent(reason),
        }
    }

    /// Forwards a received mail unchanged, with an empty return path, so that nothing can bounce.
    pub async fn forward(&self, address: &str, mail: &[u8]) -> Outcome {
        match address.parse::<Address>() {
            Ok(address) => self.server.send(None, &address, mail).await,
            Err(fault) => Outcome::Permanent(format!("the address {address:?} is not valid: {fault}")),
        }
    }

    /// Updates the availability of the mail server from an outcome. Returns the change, if there is one.
    pub fn track(&self, outcome: &Outcome) -> Option<ServerChange> {
        let mut unavailable = self.unavailable.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Unavailable(reason) => {
                let is_new = unavailable.is_none();
                *unavailable = Some(reason.clone());
                is_new.then(|| ServerChange::Unavailable(reason.clone()))
            }
            Outcome::Done => unavailable.take().map(|_| ServerChange::Available),
            Outcome::Transient(_) | Outcome::Permanent(_) => None,
        }
    }

    fn write(&self, letter: &Letter, address: Address, footer: &Footer) -> Result<Message, String> {
        let name = Some(letter.recipient().name.clone()).filter(|name| !name.is_empty());
        let composed = letter.compose(&self.portal_url).map_err(|fault| format!("cannot create the mail: {fault}"))?;
        let composed = super::footer::append(composed, footer);
        // All mails about a request are one thread, and so are all mails about a tenant's settings.
        let thread = format!("<{}@{}>", letter.thread(), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, address))
            .subject(composed.subject)
            .message_id(Some(self.message_id(letter)))
            .in_reply_to(thread.clone())
            .references(thread)
            // Suppresses out-of-office replies: RFC 3834, and a header of its own for Exchange.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"))
            // The template, for filters: the subject is the same for all mails of a request.
            .raw_header(header("X-Lockbox-Event", letter.template()))
            // Identifies the mail when it bounces at a server that changed its Message-ID.
            .raw_header(header("X-Lockbox-Notification", &self.identity(letter)))
            .multipart(MultiPart::alternative_plain_html(composed.text, composed.html))
            .map_err(|fault| fault.to_string())
    }
}
