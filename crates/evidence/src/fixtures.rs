//! Generated sample logs for tests and benchmarks. Their requests follow the lifecycle rules.

use serde_json::json;

mod archive;
pub mod authorities;
pub mod devices;
mod lifecycles;
mod log;
mod people;
mod seeds;

pub use archive::{pack, unpack};
use authorities::{Authority, Change};
use lifecycles::Lifecycle;
pub use log::{Kept, SampleLog};
pub use people::witnesses;

impl SampleLog {
    /// Creates the log of a founded tenant.
    pub fn new(tenant: &str, seed: u64) -> Self {
        Self::unfounded(tenant, seed).founded(seed, false)
    }

    /// Creates the log of a founded tenant whose keys are such that the same seed creates the same bytes.
    pub fn repeatable(tenant: &str, seed: u64) -> Self {
        Self::unfounded(tenant, seed).founded(seed, true)
    }

    /// Founds the tenant. One in four tenants had requests before.
    fn founded(mut self, number: u64, is_repeatable: bool) -> Self {
        self.is_repeatable = is_repeatable;
        if number % 4 == 3 {
            self.add_request();
        }
        let tenant = self.origin.rsplit('/').next().unwrap_or_default().to_owned();
        self.advance_clock(60);
        let (authority, data) = Authority::of_tenant(&tenant, &self.seed, number, is_repeatable, self.now);
        self.event("authority.changed", None, None, &data);
        self.authority = Some(authority);
        if number.is_multiple_of(2) {
            self.vendor = Some(Authority::of_vendor(&self.seed, is_repeatable, self.now));
        }
        self.kept.only_fingerprint = number % 5 == 4;
        self.keep();
        self.advance_clock(60);
        self
    }

    /// Adds requests until the log has at least this many entries, and some heartbeats and checkpoints.
    pub fn grow(&mut self, entries: u64) {
        while self.size() < entries {
            let first = self.size();
            if self.authority.is_some() && self.draw().is_multiple_of(9) {
                let change = Change::ALL[usize::try_from(self.draw() % 8).unwrap_or_default()];
                self.change_authority(change);
            }
            self.add_request();
            if self.draw().is_multiple_of(8) {
                let data = json!({"actor": {"kind": "lockbox"}, "log": self.origin, "size": first});
                self.event("log.heartbeat", None, None, &data);
            }
            if self.draw().is_multiple_of(16) {
                let note = self.checkpoint();
                self.earlier.push((self.size(), note));
            }
        }
    }

    /// Adds one request with a random ending.
    fn add_request(&mut self) {
        let id = self.id().to_string();
        let is_break_glass = self.draw().is_multiple_of(12);
        let mut lifecycle = Lifecycle::new(self, id);
        if is_break_glass { lifecycle.break_glass() } else { lifecycle.standard() }
    }
}
