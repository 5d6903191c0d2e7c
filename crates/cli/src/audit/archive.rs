//! `lockbox audit archive`: moves months of events to an archive of evidence bundles. Hashes and signatures stay.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use evidence::bundle::Trust;
use sha2::{Digest, Sha256};
use store::Store;
use store::log::retain::{Archived, Month, Obstacles, Part};

use crate::operator::Operator;
use runtime::outcome::Failure;
use runtime::output::{line, print_message};

/// Months to archive.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox audit archive --before 2026-01 --to /srv/lockbox-archive")]
pub struct Archive {
    /// Archive the months before this month (2026-01). The current month and the month before always stay.
    #[arg(long, value_name = "MONTH", value_parser = month)]
    before: NaiveDate,
    /// Folder of the archive; it holds one folder for each month.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    operator: Operator,
}

fn month(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| "use a month such as 2026-01".to_owned())
}

impl Archive {
    pub(super) async fn run(self, store: &Store) -> Result<(), Failure> {
        let months = store.months_before(self.before).await?;
        if months.is_empty() {
            return line("There is no month to archive.");
        }
        for month in &months {
            let obstacles = store.obstacles(month).await?;
            if obstacles != Obstacles::default() {
                return Err(Failure::Refused {
                    code: "month.needed".to_owned(),
                    message: format!("{} cannot be archived yet: {}", month.month.format("%Y-%m"), needed(&obstacles)),
                });
            }
            let moved = self.archive(store, month).await?;
            store.archive_month(month, &moved, self.operator.actor()).await.map_err(owner)?;
            line(&format!(
                "{}: {} entries are in {}. Store that folder safely. Then free the space with: drop table {};",
                month.month.format("%Y-%m"),
                moved.iter().map(|one| one.part.entries).sum::<i64>(),
                self.folder(month).display(),
                month.name
            ))?;
        }
        Ok(())
    }

    fn folder(&self, month: &Month) -> PathBuf {
        self.to.join(month.month.format("%Y-%m").to_string())
    }

    /// Exports and verifies the part of each log in a month.
    async fn archive(&self, store: &Store, month: &Month) -> Result<Vec<Archived>, Failure> {
        let folder = self.folder(month);
        std::fs::create_dir_all(&folder)?;
        let mut archived = Vec::new();
        for part in store.parts(month).await? {
            let name = format!("{}.tar", part.tenant.as_deref().unwrap_or("operator"));
            let path = folder.join(&name);
            print_message(&format!("{} entries to {}", part.entries, path.display()));
            let mut still = store.read_snapshot().await?;
            let period = (Some(month.since), Some(month.until));
            operations::export::bundle(&mut still, part.tenant.as_deref(), period, &path).await?;
            examine(store, &part, &path).await?;
            let sha256 = Sha256::digest(std::fs::read(&path)?).to_vec();
            archived.push(Archived { part, bundle: format!("{}/{name}", month.month.format("%Y-%m")), sha256 });
        }
        Ok(archived)
    }
}

/// Verifies a bundle before the events that it replaces leave the database.
async fn examine(store: &Store, part: &Part, path: &Path) -> Result<(), Failure> {
    let keys = store.log_keys(part.tenant.as_deref()).await?;
    let trust = Trust { keys: keys.iter().filter_map(|key| key.parse().ok()).collect(), ..Trust::default() };
    let report = operations::examine::bundle(path, &trust)?;
    match report.findings.first() {
        None => Ok(()),
        Some(finding) => Err(Failure::Untrue {
            code: report.code(),
            words: format!("nothing was archived: {} does not verify: {finding}", path.display()),
        }),
    }
}

fn needed(obstacles: &Obstacles) -> String {
    let parts = [
        (obstacles.unsigned, "events have no signed checkpoint"),
        (obstacles.open, "requests of that month are not over"),
        (obstacles.undelivered, "events are pending for a webhook"),
        (obstacles.unforwarded, "destinations of `lockbox audit forward` have not received all of it"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    words.join("; ")
}

fn owner(error: store::Error) -> Failure {
    if error.is_forbidden() {
        let message =
            "only the login that owns the tables can archive months; use the login that runs `lockbox migrate`"
                .to_owned();
        return Failure::Refused { code: "not_owner".to_owned(), message };
    }
    error.into()
}
