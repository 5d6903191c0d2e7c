//! `lockbox review` and `lockbox decide`: the two yeses, from the command line.

use clap::{Args, ValueEnum};
use contracts::Kind;
use contracts::directory::parse_seconds;
use domain::{Digest, Verdict};
use serde_json::json;
use uuid::Uuid;

use super::clicks::click;
use super::remote::Remote;
use super::request::named;
use super::show::show;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;
use runtime::serve::open_store;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Answer {
    Approve,
    Deny,
}

/// A decision.
#[derive(Args, Debug)]
struct Common {
    /// Request id.
    id: Uuid,
    /// Yes or no.
    #[arg(value_enum)]
    answer: Answer,
    /// Who decides.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// In your words.
    #[arg(long)]
    comment: Option<String>,
    /// Digest of what you looked at, from `lockbox request show`; the stored one when left out.
    #[arg(long)]
    digest: Option<Digest>,
}

/// A manager's decision.
#[derive(Args, Debug)]
pub struct Review {
    #[command(flatten)]
    common: Common,
}

/// An approver's decision.
#[derive(Args, Debug)]
pub struct Decide {
    #[command(flatten)]
    common: Common,
    /// Allow less time than was asked for, such as 30m.
    #[arg(long, value_parser = parse_seconds)]
    duration: Option<i64>,
}

impl Review {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        self.common.run(settings, format, Kind::VendorDecide, None).await
    }
}

impl Decide {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        self.common.run(settings, format, Kind::CustomerDecide, self.duration).await
    }
}

impl Common {
    async fn run(self, settings: &Settings, format: Format, kind: Kind, duration: Option<i64>) -> Result<(), Failure> {
        let verdict = match self.answer {
            Answer::Approve => Verdict::Approve,
            Answer::Deny => Verdict::Deny,
        };
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
        let data = contracts::commands::Decide {
            request: self.id,
            by: named(self.by)?,
            verdict,
            digest: self.digest.unwrap_or_else(|| request.digest()),
            comment: self.comment.as_deref().and_then(domain::FreeText::given),
            channel: "cli".to_owned(),
            duration_seconds: duration,
            assertion: None,
        };
        click(settings, &store, kind, Some(self.id), &data).await?;
        show(&store, self.id, format).await
    }
}
