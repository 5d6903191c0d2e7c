//! Connections to the mail server, and what a refusal means. Before the server knows the recipient, a refusal is about the
//! server or our login. After that it is about the mail.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use crate::settle::Outcome;

/// Most idle connections that stay open.
const IDLE_LIMIT: usize = 16;
/// An idle connection is closed after this time. Mail servers close idle connections after minutes.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Time limit for connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Replies that require a login or encryption, at any step (RFC 4954, RFC 3207).
const LOGIN_CODES: [u16; 4] = [530, 534, 535, 538];
/// Words in replies to RCPT that refuse the client or the sender and not the recipient: Postfix delays such refusals until
/// then. All have an enhanced status code of 5.7.
const CLIENT_REFUSALS: [&str; 6] =
    ["relay", "authenticat", "client host", "helo command", "sender address", "not permitted to send"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    None,
    Opportunistic,
    Required,
    Wrapper,
}

/// Connections to one mail server.
pub(super) struct Connections {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    client: ClientId,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// Why a URL of a mail server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is not a URL.
    #[error(transparent)]
    Parse(#[from] url::ParseError),
    /// The scheme or the setting for encryption is unknown.
    #[error("the scheme {0:?} with the encryption setting {1:?} is not supported")]
    Scheme(String, Option<String>),
    /// The user name or the password is not text.
    #[error("the user name or the password is not UTF-8")]
    Credentials,
    /// It has no host.
    #[error("it has no host")]
    Host,
}

impl Connections {
    /// Connections to the server of a URL: `smtp://host`, `smtp://host?tls=required`, `smtp://host?tls=opportunistic`,
    /// `smtps://user:password@host`. A path is the client name for EHLO.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let url = url::Url::parse(url)?;
        let tls = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
        let (encryption, port) = match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => (Encryption::None, 25),
            ("smtp", Some("required")) => (Encryption::Required, 587),
            ("smtp", Some("opportunistic")) => (Encryption::Opportunistic, 587),
            ("smtps", _) => (Encryption::Wrapper, 465),
            (scheme, _) => return Err(UrlError::Scheme(scheme.to_owned(), tls)),
        };
        let text = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|_| UrlError::Credentials)
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(text(url.username())?, text(password)?)),
            None => None,
        };
        let name = url.path().trim_matches('/');
        let client = if name.is_empty() { ClientId::default() } else { ClientId::Domain(name.to_owned()) };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::Host)?;
        // Brackets are part of the URL, not of the address.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let idle = Mutex::new(Vec::new());
        Ok(Self { host, port: url.port().unwrap_or(port), encryption, credentials, client, idle })
    }

    /// Sends one mail to one address.
    pub async fn send(&self, from: Option<&Address>, to: &Address, mail: &[u8]) -> Outcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(outcome) => return outcome,
        };
        let outcome = send_over(&mut connection, from, to, mail).await;
        if outcome == Outcome::Done && !connection.has_broken() {
            self.store_idle(connection);
        } else {
            connection.abort().await;
        }
        outcome
    }

    fn store_idle(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_LIMIT {
            idle.push((connection, Instant::now()));
        }
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, Outcome> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((mut connection, since)) = kept else { break };
            if since.elapsed() < IDLE_TIME && connection.test_connected().await {
                return Ok(connection);
            }
            connection.abort().await;
        }
        self.connect().await.map_err(|error| {
            let what =
                if error.is_response() || error.status().is_some() { "refuses Lockbox" } else { "cannot be reached" };
            Outcome::Unavailable(format!("the mail server {what}: {}", reply(&error)))
        })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let parameters = || TlsParameters::new(self.host.clone());
        let wrapper = if self.encryption == Encryption::Wrapper { Some(parameters()?) } else { None };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_LIMIT), &self.client, wrapper, None).await?;
        let upgrades = match self.encryption {
            Encryption::Required => true,
            Encryption::Opportunistic => connection.can_starttls(),
            Encryption::None | Encryption::Wrapper => false,
        };
        if upgrades {
            connection.starttls(parameters()?, &self.client).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }
}

async fn send_over(connection: &mut AsyncSmtpConnection, from: Option<&Address>, to: &Address, mail: &[u8]) -> Outcome {
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !(is_ascii(to) && from.is_none_or(is_ascii)) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Outcome::Permanent(
                "the mail server does not support SMTPUTF8, which this address needs".to_owned(),
            );
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !mail.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    if let Err(error) = connection.command(Mail::new(from.cloned(), parameters)).await {
        let what = if error.status().is_some() { "refuses the sender of Lockbox" } else { "closed the connection" };
        return Outcome::Unavailable(format!("the mail server {what}: {}", reply(&error)));
    }
    if let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())).await {
        return outcome_of_refusal(&error, true);
    }
    if let Err(error) = connection.command(Data).await {
        return outcome_of_refusal(&error, false);
    }
    match connection.message(mail).await {
        Ok(_) => Outcome::Done,
        Err(error) => outcome_of_refusal(&error, false),
    }
}

/// The server's reply, or the error that happened before a reply.
fn reply(error: &Error) -> String {
    match (error.status(), std::error::Error::source(error)) {
        (Some(code), Some(words)) => format!("{code} {words}"),
        _ => error.to_string(),
    }
}

/// The outcome of a refusal after MAIL FROM. `at_recipient` is true for the reply to RCPT TO.
fn outcome_of_refusal(error: &Error, at_recipient: bool) -> Outcome {
    let text = reply(error);
    match error.status().map(u16::from) {
        Some(code) if is_client_refusal(code, &text, at_recipient) => {
            Outcome::Unavailable(format!("the mail server refuses Lockbox: {text}"))
        }
        Some(_) if error.is_permanent() => Outcome::Permanent(text),
        Some(_) | None => Outcome::Transient(text),
    }
}

fn is_client_refusal(code: u16, text: &str, at_recipient: bool) -> bool {
    let lower = text.to_lowercase();
    LOGIN_CODES.contains(&code)
        || (at_recipient
            && code >= 500
            && lower.contains("5.7.")
            && CLIENT_REFUSALS.iter().any(|words| lower.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_recipient_are_distinguished_from_refusals_of_our_login() {
        for (code, text) in [
            (554, "554 5.7.1 <kim@contoso.example>: Relay access denied"),
            (530, "530 5.7.0 Must issue a STARTTLS command first"),
            (550, "550 5.7.1 Client does not have permissions: sender address rejected"),
        ] {
            assert!(is_client_refusal(code, text, true), "{text}");
        }
        for (code, text) in [
            (550, "550 5.1.1 <kim@contoso.example>: Recipient address rejected: User unknown"),
            (554, "554 5.7.1 <kim@contoso.example>: Recipient address rejected: Access denied"),
            (552, "552 5.2.2 Mailbox full"),
        ] {
            assert!(!is_client_refusal(code, text, true), "{text}");
        }
    }

    #[test]
    fn a_url_contains_server_encryption_and_login() {
        let server = Connections::new("smtps://svc%40fabrikam.example:p%2Bw@mail.fabrikam.example").unwrap();
        assert_eq!(
            (server.host.as_str(), server.port, server.encryption),
            ("mail.fabrikam.example", 465, Encryption::Wrapper)
        );
        assert!(server.credentials.is_some());
        let server = Connections::new("smtp://[::1]:2525").unwrap();
        assert_eq!((server.host.as_str(), server.port, server.encryption), ("::1", 2525, Encryption::None));
        assert!(Connections::new("http://mail.fabrikam.example").is_err());
        assert!(Connections::new("smtp://mail.fabrikam.example?tls=maybe").is_err());
    }
}
