//! What the mail role sends: one of two kinds of notification.

use contracts::notifications::{Mail, Recipient, SettingsMail};
use contracts::{Envelope, Kind, Malformed};
use uuid::Uuid;

use super::compose::{Composed, compose, compose_settings};

/// A notice to send as a mail.
#[derive(Clone, Debug)]
pub enum Letter {
    /// About one request.
    Request(Mail),
    /// About settings, people, passkeys and tokens.
    Settings(SettingsMail),
}

impl Letter {
    /// Reads the notice in an envelope.
    ///
    /// # Errors
    /// [`Malformed`] when it is no notice or does not fit its schema.
    pub fn read(kind: Kind, envelope: &Envelope) -> Result<Self, Malformed> {
        match kind {
            Kind::Mail => envelope.data().map(Self::Request),
            Kind::SettingsMail => envelope.data().map(Self::Settings),
            other => {
                let detail = format!("{} asks for no mail", other.type_name());
                Err(Malformed { code: "schema.unexpected_type", detail })
            }
        }
    }

    /// Id of the notice.
    pub fn notification(&self) -> Uuid {
        match self {
            Self::Request(mail) => mail.notification,
            Self::Settings(mail) => mail.notification,
        }
    }

    /// The request it is about, with its number in the ticketing system.
    pub fn request(&self) -> Option<(Uuid, &str)> {
        match self {
            Self::Request(mail) => Some((mail.request, &mail.service_request)),
            Self::Settings(_) => None,
        }
    }

    /// What it says.
    pub fn template(&self) -> &str {
        match self {
            Self::Request(mail) => &mail.template,
            Self::Settings(mail) => &mail.template,
        }
    }

    /// Who gets it.
    pub fn recipient(&self) -> &Recipient {
        match self {
            Self::Request(mail) => &mail.recipient,
            Self::Settings(mail) => &mail.recipient,
        }
    }

    /// Tenant's short name; nothing for the vendor's side.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Request(mail) => Some(&mail.tenant),
            Self::Settings(mail) => mail.tenant.as_deref(),
        }
    }

    /// What all mails of one conversation have in common.
    pub fn thread(&self) -> String {
        match self {
            Self::Request(mail) => format!("request-{}", mail.request),
            Self::Settings(mail) => format!("settings-{}", mail.tenant.as_deref().unwrap_or("vendor")),
        }
    }

    /// Its words.
    ///
    /// # Errors
    /// When a template fails.
    pub fn compose(&self, portal_url: &str) -> Result<Composed, askama::Error> {
        match self {
            Self::Request(mail) => compose(mail, portal_url),
            Self::Settings(mail) => compose_settings(mail, portal_url),
        }
    }
}
