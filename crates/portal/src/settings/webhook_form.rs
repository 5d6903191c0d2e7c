//! The form of a webhook: what an approver entered, and whether it is valid.

use serde::Deserialize;
use workers::webhooks::{Inside, check_url};

use crate::refused::Problem;

/// Longest name of a webhook, in characters.
const NAME_LIMIT: usize = 64;

/// A webhook to add.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WebhookInput {
    pub form_token: String,
    pub name: String,
    pub url: String,
    #[serde(default)]
    pub types: String,
}

impl WebhookInput {
    /// The URL.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub(super) fn parse(&self, inside: &Inside) -> Result<String, Problem> {
        if let Some(problem) = domain::text::problem(&domain::text::one_line(&self.name), NAME_LIMIT, false) {
            return Err(Problem::new("name", format!("Name: {problem}")));
        }
        if !self.types.trim().chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.') {
            let problem = "Event types: enter lowercase letters, dots and underscores only, such as grant.";
            return Err(Problem::new("types", problem));
        }
        let url = check_url(self.url.trim(), inside);
        url.map(|url| url.to_string()).map_err(|problem| Problem::new("url", format!("URL: {problem}")))
    }
}
