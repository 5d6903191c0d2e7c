//! Progress messages while servers start.

use std::sync::Arc;

/// Receives one line per step.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;
