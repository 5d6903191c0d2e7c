//! The page after a decision whose digest does not match the request: nothing was decided, and here is the difference.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::{CommittedText, Content, Digest, titles};
use store::views::RequestView;

use super::format::{access_level, duration};
use super::response::{PageResult, render};
use super::session::Viewer;

/// One part of the content, as the form showed it and as it is now.
struct Part {
    name: &'static str,
    shown: String,
    current: String,
}

#[derive(Template)]
#[template(path = "digest_mismatch.html")]
struct DigestMismatchPage {
    viewer: Viewer,
    id: String,
    submitted_digest: String,
    digest: String,
    /// Whether the form still had the content that it showed.
    is_known: bool,
    parts: Vec<Part>,
    /// The comment that was entered.
    comment: String,
}

fn parts(content: &Content) -> [(&'static str, String); 11] {
    [
        ("Customer", content.tenant_name.clone()),
        ("Service request", content.service_request.clone()),
        ("Resource", format!("{} in {}", content.resource, titles::service(&content.service))),
        ("Justification", content.justification.text().to_owned()),
        ("Category", titles::category(content.category.as_str())),
        ("Severity", titles::sentence(content.severity.as_str())),
        ("Requested by", content.requester_name.clone()),
        ("Access level", access_level(content.access_level)),
        ("Duration", duration(content.duration_seconds)),
        ("Start time", content.start_time.map_or_else(|| "on approval".to_owned(), |at| at.to_rfc3339())),
        ("Request", content.request.to_string()),
    ]
}

fn same_words(shown: &Content, current: &Content) -> CommittedText {
    let is_same = shown.justification.commitment() == current.justification.commitment();
    if is_same { current.justification.clone() } else { shown.justification.clone() }
}

/// Compares what a form showed with the current content. What it showed counts only if it matches the submitted digest.
pub(super) fn page(
    viewer: Viewer,
    request: &RequestView,
    current: &Content,
    (submitted_digest, shown): (&Digest, &str),
    comment: &str,
) -> PageResult {
    let is_genuine = Digest::of(shown.as_bytes()) == *submitted_digest;
    let shown = is_genuine.then(|| Content::from_bytes(shown.as_bytes())).flatten();
    // The form has only the commitment to the justification. Equal commitments mean equal words.
    let shown = shown.map(|shown| Content { justification: same_words(&shown, current), ..shown });
    let pairs = shown.iter().flat_map(|shown| parts(shown).into_iter().zip(parts(current)));
    let differing = pairs.filter(|((_, shown), (_, current))| shown != current);
    let parts = differing.map(|((name, shown), (_, current))| Part { name, shown, current }).collect();
    let page = DigestMismatchPage {
        viewer,
        id: request.id.to_string(),
        submitted_digest: submitted_digest.to_string(),
        digest: request.digest().to_string(),
        is_known: shown.is_some(),
        parts,
        comment: comment.trim().to_owned(),
    };
    let page: Response = render(&page)?;
    Ok((StatusCode::CONFLICT, page).into_response())
}
