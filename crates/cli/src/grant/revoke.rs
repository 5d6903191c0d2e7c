//! `lockbox grant revoke`: revokes access, and waits for the target's confirmation.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::portal_client::PortalClient;
use crate::show::show;
use runtime::outcome::Failure;
use runtime::output::{Format, print_message};

/// Time to wait for the target's confirmation. Without one in this time the revocation is shown as unconfirmed.
const CONFIRMATION_LIMIT: Duration = Duration::from_secs(15);
/// How often the provisioning is read while waiting.
const READ_PERIOD: Duration = Duration::from_millis(250);

/// Access to revoke.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox grant revoke 0197… --all --comment \"that was enough\"")]
pub(super) struct Revoke {
    /// Request id.
    id: Uuid,
    /// Revoke all other active access to the same resource too.
    #[arg(long)]
    all: bool,
    /// Comment that the other people see.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Revoke {
    pub(super) async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        let own = portal.request(self.id).await?;
        let others: Vec<Value> =
            portal.grants().await?.into_iter().filter(|grant| is_beside(grant, &own, self.id)).collect();
        let body = json!({ "comment": self.comment });
        for other in others.iter().filter(|_| self.all) {
            let path = format!("/requests/{}/revocation", other["request"].as_str().unwrap_or_default());
            match portal.post(&path, &body).await {
                // Refused: that access has ended in the meantime.
                Ok(_) | Err(Failure::Refused { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        if !self.all && !others.is_empty() {
            print_message(&still_active(self.id, &others));
        }
        // With --all the named access may have ended already: it only states the resource.
        if !self.all || own["state"] == "active" {
            portal.post(&format!("/requests/{}/revocation", self.id), &body).await?;
        }
        wait_for_confirmation(portal, self.id).await?;
        show(portal, self.id, format).await
    }
}

/// Whether a grant is active access to the same resource under another request. Addresses of resources are compared without
/// case and without a slash at the end, as the portal compares them.
fn is_beside(grant: &Value, own: &Value, id: Uuid) -> bool {
    let resource =
        |one: &Value| one["resource"].as_str().unwrap_or_default().to_lowercase().trim_end_matches('/').to_owned();
    ["tenant", "service"].iter().all(|name| grant[*name] == own[*name])
        && resource(grant) == resource(own)
        && grant["request"] != id.to_string()
        && grant["state"] == "active"
}

fn still_active(id: Uuid, others: &[Value]) -> String {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> =
        others.iter().map(|one| format!("{} ({})", text(one, "request"), text(one, "service_request"))).collect();
    format!(
        "Access to the same resource is still active under {}.\nTo revoke all of it: lockbox grant revoke {id} --all",
        names.join(", ")
    )
}

async fn wait_for_confirmation(portal: &PortalClient, id: Uuid) -> Result<(), Failure> {
    let started = Instant::now();
    loop {
        let request = portal.request(id).await?;
        let provisioning = &request["provisioning"];
        if provisioning.is_null() || provisioning["confirmed"] == true {
            return Ok(());
        }
        if started.elapsed() > CONFIRMATION_LIMIT {
            print_message(
                "Access has ended, and the gate refuses it. The target has not confirmed the revocation yet; Lockbox \
                 retries automatically.",
            );
            return Ok(());
        }
        tokio::time::sleep(READ_PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_active_access_to_the_same_resource_under_another_request_is_beside() {
        let own = json!({"tenant": "contoso", "service": "sharepoint", "resource": "https://contoso.example/a/"});
        let other = json!({
            "request": Uuid::max(), "tenant": "contoso", "service": "sharepoint",
            "resource": "https://Contoso.example/a", "state": "active",
        });
        let changed = |name: &str, value: &str| {
            let mut changed = other.clone();
            changed[name] = value.into();
            is_beside(&changed, &own, Uuid::nil())
        };
        assert!(is_beside(&other, &own, Uuid::nil()));
        assert!(!is_beside(&other, &own, Uuid::max()), "the same request");
        assert!(!changed("tenant", "adatum") && !changed("state", "ended"));
        assert!(!changed("resource", "https://contoso.example/b"));
        assert!(still_active(Uuid::nil(), &[other]).contains(&Uuid::max().to_string()));
    }
}
