//! Telling people what happens while servers start.

use std::sync::Arc;

/// Gets a line for people at every step.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;
