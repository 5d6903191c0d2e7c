//! Logins that a connector derives for a grant from a secret of its own, such as a role of a database.

use uuid::Uuid;

use crate::configuration::Settings;
use crate::outcome::Failure;

/// Connectors that derive logins.
#[derive(Clone, Debug)]
pub struct TargetLogins(connectors::Config);

/// A login at a target, beside the access token of the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetLogin {
    /// Name of the role.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl TargetLogins {
    /// Those of the settings.
    pub fn of(settings: &Settings) -> Self {
        Self(settings.targets.clone())
    }

    /// The login of a grant, when the service is a database.
    ///
    /// # Errors
    /// When the connector's secret cannot be read.
    pub fn find(&self, service: &str, grant: Uuid) -> Result<Option<TargetLogin>, Failure> {
        let Some(connectors::Target::Postgres(target)) = self.0.get(service) else { return Ok(None) };
        let password = target.connector().map_err(Failure::Usage)?.password(grant);
        Ok(Some(TargetLogin { login: connectors::login(grant), password }))
    }
}
