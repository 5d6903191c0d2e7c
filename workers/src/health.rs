//! Whether this process can do its work: read by the readiness endpoint, written by each role's session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// State of every part of a process, by name.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>,
    warnings: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Health {
    /// Notes how a part is.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    /// Notes what somebody must look at although the part does its work; `None` when there is nothing any more.
    pub fn warn(&self, part: &'static str, warning: Option<String>) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        match warning {
            Some(warning) => drop(warnings.insert(part, warning)),
            None => drop(warnings.remove(part)),
        }
    }

    /// What somebody must look at.
    pub fn warnings(&self) -> BTreeMap<&'static str, String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All parts.
    pub fn parts(&self) -> BTreeMap<&'static str, Result<(), String>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every part is well and there is at least one.
    pub fn is_ready(&self) -> bool {
        let parts = self.parts();
        !parts.is_empty() && parts.values().all(Result::is_ok)
    }
}
