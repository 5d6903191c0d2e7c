//! Lists that are read again until the command is stopped.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use contracts::directory::parse_seconds;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line};

/// Whether and how often a list is read again.
#[derive(Args, Clone, Debug)]
pub(super) struct Refresh {
    /// Read the list again until Ctrl-C. A terminal shows the latest list; elsewhere each changed list is printed.
    #[arg(long, help_heading = "Output")]
    watch: bool,
    /// Time between two updates.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_seconds, requires = "watch", help_heading = "Output")]
    every: i64,
}

impl Refresh {
    /// Prints a list once, or each time it changes.
    ///
    /// # Errors
    /// When the list cannot be read, a column does not exist, or standard output is closed.
    pub async fn print(
        &self,
        columns: &Columns,
        format: Format,
        read: impl AsyncFn() -> Result<Listing, Failure>,
    ) -> Result<(), Failure> {
        if !self.watch {
            return columns.print(&read().await?, format);
        }
        let period = Duration::from_secs(u64::try_from(self.every).unwrap_or(2).max(1));
        let is_terminal = std::io::stdout().is_terminal() && format == Format::Table;
        let mut stop = std::pin::pin!(runtime::serve::stop_requested());
        let mut last = None;
        loop {
            let listing = read().await?;
            if last.as_ref() != Some(&listing.rows) {
                if is_terminal {
                    // Clear the screen and move to its top.
                    line("\u{1b}[2J\u{1b}[H")?;
                }
                match format {
                    Format::Json => line(&listing.json.to_string())?,
                    Format::Table | Format::Csv => columns.print(&listing, format)?,
                }
                last = Some(listing.rows);
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(period) => {}
            }
        }
    }
}
