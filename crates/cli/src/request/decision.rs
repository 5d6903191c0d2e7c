//! `lockbox request approve` and `lockbox request deny`. The portal derives the stage from the person: people of the vendor
//! decide for the vendor, people of the tenant for the customer.

use clap::Args;
use contracts::directory::parse_seconds;
use domain::{Digest, Verdict};
use serde_json::json;
use uuid::Uuid;

use crate::portal_client::PortalClient;
use crate::show::show;
use runtime::outcome::Failure;
use runtime::output::Format;

/// Options of both decisions.
#[derive(Args, Debug)]
struct Decision {
    /// Request id.
    id: Uuid,
    /// Comment that the other people see.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Digest of the request that you read, from `lockbox request show` [default: the digest of the current request].
    #[arg(long)]
    digest: Option<Digest>,
}

/// An approval.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox request approve 0197… --duration 30m --comment \"go ahead\"")]
pub(super) struct Approve {
    #[command(flatten)]
    decision: Decision,
    /// Approve for less time than was requested, such as 30m. Only the customer's approvers can do this.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    duration: Option<i64>,
}

/// A denial.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox request deny 0197… --comment \"the mailbox belongs to another team\"")]
pub(super) struct Deny {
    #[command(flatten)]
    decision: Decision,
}

impl Approve {
    pub(super) async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        self.decision.send(portal, Verdict::Approve, self.duration, format).await
    }
}

impl Deny {
    pub(super) async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        self.decision.send(portal, Verdict::Deny, None, format).await
    }
}

impl Decision {
    async fn send(
        self,
        portal: &PortalClient,
        verdict: Verdict,
        duration: Option<i64>,
        format: Format,
    ) -> Result<(), Failure> {
        let digest = match self.digest {
            Some(digest) => json!(digest.to_string()),
            None => portal.request(self.id).await?["digest"].take(),
        };
        let decision = json!({
            "verdict": verdict.as_str(), "digest": digest, "comment": self.comment, "duration_seconds": duration,
        });
        portal.post(&format!("/requests/{}/decision", self.id), &decision).await?;
        show(portal, self.id, format).await
    }
}
