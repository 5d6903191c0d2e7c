//! `lockbox monitor status`: prints what a monitor has verified, and its alarms, from its folder.

use std::path::PathBuf;

use ::monitor::{Alarm, View};
use clap::Args;
use serde_json::{Value, json};

use super::failure;
use runtime::outcome::Failure;
use runtime::output::{Format, json, line, printable, time};

/// The monitor to show.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// Folder of the monitor.
    #[arg(long, value_name = "FOLDER", default_value = "lockbox-monitor")]
    data: PathBuf,
}

/// The state and these alarms for programs.
pub(super) fn document(view: &View, alarms: &[Alarm]) -> Value {
    json!({
        "log": view.origin, "size": view.size, "root": view.root, "verified_at": view.verified_at.map(time),
        "heartbeat_at": view.heartbeat_at.map(time), "cosigned": view.cosigned, "keys": view.keys,
        "witness": view.witness, "authority": view.authority, "failure": view.failure, "alarms": alarms,
    })
}

impl Status {
    pub(super) fn run(self, format: Format) -> Result<(), Failure> {
        let state = ::monitor::read_state(&self.data).map_err(|fault| failure::of(&fault))?;
        let missing = || Failure::NotFound(format!("there is no monitor in {}", self.data.display()));
        let state = state.ok_or_else(missing)?;
        let alarms = ::monitor::read_alarms(&self.data).map_err(|fault| failure::of(&fault))?;
        if format == Format::Json {
            return json(&json!({"state": state, "alarms": alarms}));
        }
        let verified_at = if state.verified_at.is_empty() { "never" } else { &state.verified_at };
        for (name, value) in [
            ("Log", state.origin.clone()),
            ("Verified entries", state.size.to_string()),
            ("Root", state.root.clone()),
            ("Last verified", verified_at.to_owned()),
            ("Cosigned entries", state.cosigned.to_string()),
            ("Alarms", alarms.len().to_string()),
        ] {
            line(&printable(&format!("{name:<17} {value}")))?;
        }
        for alarm in &alarms {
            line(&printable(&format!("\n{alarm}")))?;
        }
        Ok(())
    }
}
