//! The identity providers of the portal.

use runtime::configuration::Settings;
use runtime::outcome::Failure;

use super::client::{Client, Trouble};
use super::settings::{Entry, Provider};

/// Every identity provider of this portal.
pub(crate) struct Oidc {
    pub(super) clients: Vec<Client>,
    /// URL of the portal that providers redirect to after sign-in.
    pub(super) redirect_url: String,
    /// URL of the portal that providers redirect to after sign-out.
    signed_out_url: String,
}

/// A button of the sign-in page.
pub(crate) struct SignInOption {
    /// Index of the provider.
    pub number: usize,
    /// Name of the provider on the button.
    pub label: String,
}

impl Oidc {
    /// Creates a client for each provider in the settings.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub fn new(provider: &Provider, origin: &str) -> Result<Self, Failure> {
        let clients = provider.entries()?.into_iter().map(Client::new).collect::<Result<_, _>>()?;
        let (redirect_url, signed_out_url) = (format!("{origin}/sign-in/callback"), format!("{origin}/sign-in"));
        Ok(Self { clients, redirect_url, signed_out_url })
    }

    /// Whether there is a provider.
    pub fn is_set(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether a tenant has a provider that people find only by the tenant's short name.
    pub fn has_unlisted(&self) -> bool {
        self.clients.iter().any(|client| client.entry.tenant.is_some() && client.entry.label.is_none())
    }

    /// The buttons of the sign-in page: providers with a label, providers for every tenant, and the provider of this
    /// organization.
    pub fn options(&self, organization: &str) -> Vec<SignInOption> {
        let option = |(number, client): (usize, &Client)| {
            let entry = &client.entry;
            let is_selected = entry.tenant.as_deref().is_some_and(|tenant| tenant == organization);
            let label = match (&entry.label, &entry.tenant) {
                (Some(label), _) => label.clone(),
                (None, None) => "your organization".to_owned(),
                (None, Some(tenant)) if is_selected => tenant.clone(),
                (None, Some(_)) => return None,
            };
            Some(SignInOption { number, label })
        };
        self.clients.iter().enumerate().filter_map(option).collect()
    }

    /// URL that ends the provider's own session, after a sign-out from the portal.
    pub async fn end_session(&self, issuer: &str, id_token: &str) -> Option<String> {
        let client = self.clients.iter().find(|client| client.entry.issuer == issuer)?;
        client.end_session(id_token, &self.signed_out_url).await
    }

    /// Whether people of this tenant, or of the vendor, sign in through this provider.
    pub(super) fn serves(&self, entry: &Entry, tenant: Option<&str>) -> bool {
        let owned = |name: &str| self.clients.iter().any(|client| client.entry.tenant.as_deref() == Some(name));
        match &entry.tenant {
            Some(own) => tenant == Some(own),
            None => tenant.is_none_or(|name| !owned(name)),
        }
    }
}

/// Checks every provider before the portal starts. A provider that is not available now may be available later.
///
/// # Errors
/// When the issuer of a provider differs from the settings.
pub async fn check(settings: &Settings, provider: &Provider) -> Result<(), Failure> {
    for client in Oidc::new(provider, &settings.mail.portal_url)?.clients {
        match client.metadata().await {
            Ok(_) => {}
            Err(Trouble::Issuer(why)) => return Err(Failure::Usage(why)),
            Err(Trouble::Unavailable(why) | Trouble::Refused(why)) => {
                tracing::warn!(
                    issuer = client.entry.issuer,
                    why,
                    "identity provider not available; each sign-in tries again"
                );
            }
        }
    }
    Ok(())
}
