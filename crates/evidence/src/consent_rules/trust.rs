//! What the user of a verifier trusts.

use consent::{AuthorityFile, Pin};
use tlog::Verifier;

/// What the user of the verifier trusts besides log keys.
#[derive(Clone, Debug, Default)]
pub struct ConsentTrust {
    /// The authority of the tenant.
    pub authority: Option<Pin>,
    /// The authority of the vendor.
    pub vendor: Option<AuthorityFile>,
    /// Witnesses that take the place of those of the authority.
    pub witnesses: Vec<Verifier>,
    /// Number of cosignatures that the checkpoint needs; all given witnesses by default.
    pub witnesses_required: Option<usize>,
}
