//! `lockbox request approve` and `lockbox request deny`. The portal derives the stage from the person: people of the vendor
//! decide for the vendor, people of the tenant for the customer.

use std::path::PathBuf;

use clap::Args;
use contracts::directory::parse_seconds;
use domain::{Digest, Verdict};
use serde_json::json;
use uuid::Uuid;

use crate::portal_client::PortalClient;
use crate::request::signing::{Intent, sign};
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
    /// Private key that signs the decision, from `lockbox key create`. A founded tenant requires a signature.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Sign without a question. The request is shown anyway.
    #[arg(long, requires = "key")]
    yes: bool,
}

/// An approval.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox request approve 0197… --duration 30m --comment \"go ahead\"\n  lockbox request approve 0197… --key alex.pem"
)]
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
        let path = format!("/requests/{}/decision", self.id);
        if let Some(file) = &self.key {
            let comment = self.comment.as_deref();
            let intent = Intent { request: self.id, verdict, duration_seconds: duration, comment, yes: self.yes };
            let signed = sign(portal, file, intent).await?;
            if self.digest.is_some_and(|digest| digest.to_string() != signed.digest) {
                let message = "the request is not the one with the digest that you gave; nothing was sent".to_owned();
                return Err(Failure::Refused { code: "digest_mismatch".to_owned(), message });
            }
            let mut decision = json!({
                "verdict": verdict.as_str(), "digest": signed.digest, "comment": self.comment,
                "duration_seconds": duration, "signature": signed.signature,
            });
            if let Some(salt) = signed.comment_salt {
                decision["comment_salt"] = json!(salt);
            }
            portal.post(&path, &decision).await?;
            return show(portal, self.id, format).await;
        }
        let digest = match self.digest {
            Some(digest) => json!(digest.to_string()),
            None => portal.request(self.id).await?["digest"].take(),
        };
        let decision = json!({
            "verdict": verdict.as_str(), "digest": digest, "comment": self.comment, "duration_seconds": duration,
        });
        portal.post(&path, &decision).await?;
        show(portal, self.id, format).await
    }
}
