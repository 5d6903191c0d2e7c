//! The two kinds of notification that the role `mail` sends.

use contracts::notifications::{Mail, Recipient, SettingsMail};
use contracts::{Envelope, Kind, Malformed};
use uuid::Uuid;

use super::compose::{Composed, compose, compose_settings};

/// A notification to send as a mail.
#[derive(Clone, Debug)]
pub enum Letter {
    /// About an access request.
    Request(Mail),
    /// About settings, people, passkeys and tokens.
    Settings(SettingsMail),
}

impl Letter {
    /// Reads the notification in an envelope.
    ///
    /// # Errors
    /// [`Malformed`] when it is no notification or does not fit its schema.
    pub fn read(kind: Kind, envelope: &Envelope) -> Result<Self, Malformed> {
        match kind {
            Kind::Mail => envelope.data().map(Self::Request),
            Kind::SettingsMail => envelope.data().map(Self::Settings),
            other => {
                let detail =
                    format!("{} is no notification; the role mail sends only notifications", other.type_name());
                Err(Malformed { code: "schema.unexpected_type", detail })
            }
        }
    }

    /// Id of the notification.
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

    /// Its template.
    pub fn template(&self) -> &str {
        match self {
            Self::Request(mail) => &mail.template,
            Self::Settings(mail) => &mail.template,
        }
    }

    /// Its recipient.
    pub fn recipient(&self) -> &Recipient {
        match self {
            Self::Request(mail) => &mail.recipient,
            Self::Settings(mail) => &mail.recipient,
        }
    }

    /// The tenant's short name; `None` for the vendor.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Request(mail) => Some(&mail.tenant),
            Self::Settings(mail) => mail.tenant.as_deref(),
        }
    }

    /// The id of its mail thread.
    pub fn thread(&self) -> String {
        match self {
            Self::Request(mail) => format!("request-{}", mail.request),
            Self::Settings(mail) => format!("settings-{}", mail.tenant.as_deref().unwrap_or("vendor")),
        }
    }

    /// Its subject and text.
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
