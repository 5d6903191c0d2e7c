//! The page of a decision about something else than what stands: nothing was decided, and here is the difference.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::{Content, Digest};
use store::views::RequestView;

use super::answer::{self, Answer};
use super::look::duration;
use super::session::Viewer;

/// One part of the content, as it was shown and as it stands.
struct Part {
    name: &'static str,
    shown: String,
    stands: String,
}

#[derive(Template)]
#[template(path = "changed.html")]
struct ChangedPage {
    viewer: Viewer,
    id: String,
    said: String,
    digest: String,
    /// Whether the form still held what it showed.
    is_known: bool,
    parts: Vec<Part>,
    /// What was typed.
    comment: String,
}

fn parts(content: &Content) -> [(&'static str, String); 10] {
    [
        ("Customer", content.tenant_name.clone()),
        ("Service request", content.service_request.clone()),
        ("Which content", format!("{} in {}", content.resource, content.service)),
        ("Why", content.justification.clone()),
        ("Kind of reason", content.category.as_str().to_owned()),
        ("Severity", content.severity.as_str().to_owned()),
        ("Who asks", content.requester_name.clone()),
        ("How long", duration(content.duration_seconds)),
        ("Not before", content.start_time.map_or_else(|| "at once".to_owned(), |at| at.to_rfc3339())),
        ("Request", content.request.to_string()),
    ]
}

/// Compares what a form showed with what stands. What it showed counts only if it is what its digest says.
pub(super) fn page(
    viewer: Viewer,
    request: &RequestView,
    stands: &Content,
    (said, shown): (&Digest, &str),
    comment: &str,
) -> Answer {
    let shown = (Digest::of(shown.as_bytes()) == *said).then(|| Content::from_bytes(shown.as_bytes())).flatten();
    let pairs = shown.iter().flat_map(|shown| parts(shown).into_iter().zip(parts(stands)));
    let differing = pairs.filter(|((_, shown), (_, stands))| shown != stands);
    let parts = differing.map(|((name, shown), (_, stands))| Part { name, shown, stands }).collect();
    let page = ChangedPage {
        viewer,
        id: request.id.to_string(),
        said: said.to_string(),
        digest: request.digest().to_string(),
        is_known: shown.is_some(),
        parts,
        comment: comment.trim().to_owned(),
    };
    let page: Response = answer::page(&page)?;
    Ok((StatusCode::CONFLICT, page).into_response())
}
