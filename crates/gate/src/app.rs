//! What every check shares.

use std::sync::Arc;

use store::Store;

use super::questions::Questions;
use super::token::Signer;
use super::uses::Uses;

/// What every question shares.
#[derive(Clone)]
pub(super) struct App(pub Arc<Inner>);

pub(super) struct Inner {
    /// Read only, and short of patience.
    pub store: Store,
    pub questions: Questions,
    pub uses: Uses,
    pub signer: Option<Signer>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
