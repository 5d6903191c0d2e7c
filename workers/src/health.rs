//! The readiness of a process: each role's session writes it, the readiness endpoint reads it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// State of every component of a process, by name.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>,
    warnings: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Health {
    /// Sets the state of a component.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    /// Sets a warning about a component that is ready and still needs attention; `None` clears it.
    pub fn warn(&self, part: &'static str, warning: Option<String>) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        match warning {
            Some(warning) => drop(warnings.insert(part, warning)),
            None => drop(warnings.remove(part)),
        }
    }

    /// All warnings.
    pub fn warnings(&self) -> BTreeMap<&'static str, String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state of all components.
    pub fn parts(&self) -> BTreeMap<&'static str, Result<(), String>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is at least one component and all are ready.
    pub fn is_ready(&self) -> bool {
        let parts = self.parts();
        !parts.is_empty() && parts.values().all(Result::is_ok)
    }
}
