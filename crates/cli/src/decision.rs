//! `lockbox request approve` and `lockbox request deny`.

use clap::Args;
use contracts::Kind;
use contracts::directory::parse_seconds;
use domain::{Digest, Verdict};
use serde_json::json;
use uuid::Uuid;

use super::commands::click;
use super::person_name::named;
use super::portal_client::Remote;
use super::show::show;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;
use runtime::serve::open_store;

/// Options of both decisions.
#[derive(Args, Debug)]
pub struct Decision {
    /// Request id.
    id: Uuid,
    /// Person who decides.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// Comment that the other people see.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Digest of the request that you read, from `lockbox request show`. Without it the current request counts.
    #[arg(long)]
    digest: Option<Digest>,
}

/// Options of an approval.
#[derive(Args, Debug)]
pub struct Approve {
    #[command(flatten)]
    decision: Decision,
    /// Approve for less time than was requested, such as 30m. Only for the customer's approval.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    duration: Option<i64>,
}

impl Approve {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        self.decision.send(settings, format, Verdict::Approve, self.duration).await
    }
}

impl Decision {
    pub(super) async fn deny(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        self.send(settings, format, Verdict::Deny, None).await
    }

    async fn send(
        self,
        settings: &Settings,
        format: Format,
        verdict: Verdict,
        duration: Option<i64>,
    ) -> Result<(), Failure> {
        if let Some(remote) = Remote::of(settings)? {
            let mut said =
                json!({ "verdict": verdict.as_str(), "comment": self.comment, "duration_seconds": duration });
            if let Some(digest) = self.digest {
                said["digest"] = digest.to_string().into();
            }
            return remote.decide(self.id, said, format).await;
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let request = store.show_request(self.id).await?;
        let kind = if request.state == "pending_vendor" { Kind::VendorDecide } else { Kind::CustomerDecide };
        let data = contracts::commands::Decide {
            request: self.id,
            by: named(self.by)?,
            verdict,
            digest: self.digest.unwrap_or_else(|| request.digest()),
            comment: self.comment.as_deref().and_then(domain::FreeText::non_empty),
            channel: "cli".to_owned(),
            duration_seconds: duration,
            assertion: None,
        };
        click(settings, &store, kind, Some(self.id), &data).await?;
        show(&store, self.id, format).await
    }
}
