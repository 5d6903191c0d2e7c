//! Who sees which request and what they can do there. For display only: the role that acts checks again.

use domain::{Content, Role};
use store::views::{DecisionView, RequestView};

use super::answer::Fault;
use super::session::Viewer;

/// What a person can do with a request now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Can {
    /// Say the vendor's yes or no.
    pub review: bool,
    /// Say the customer's yes or no.
    pub decide: bool,
    /// End open access.
    pub end: bool,
    /// Take the request back.
    pub withdraw: bool,
    /// Fetch what to show at the gate.
    pub fetch: bool,
    /// Ask for more time.
    pub extend: bool,
    /// Ask and answer.
    pub comment: bool,
    /// Accept or dispute the closing report.
    pub report: bool,
}

impl Can {
    pub fn anything(self) -> bool {
        self.review || self.decide || self.end || self.withdraw || self.extend
    }
}

/// The request's content, if this person may see the request. Missing and forbidden are one answer.
pub(crate) fn see(viewer: &Viewer, request: &RequestView) -> Result<Content, Fault> {
    let content = request.content().ok_or(Fault::Missing)?;
    let person = &viewer.person;
    let vendor_sees =
        viewer.is_vendor() && (content.requester == person.id || viewer.is(Role::Manager) || viewer.is(Role::Auditor));
    let customer_sees = person.side == domain::Side::Customer(content.tenant)
        && (viewer.is(Role::Approver) || viewer.is(Role::Auditor));
    if vendor_sees || customer_sees { Ok(content) } else { Err(Fault::Missing) }
}

/// What this person can do.
pub(crate) fn can(viewer: &Viewer, request: &RequestView, content: &Content, decisions: &[DecisionView]) -> Can {
    let person = &viewer.person;
    let is_mine = content.requester == person.id;
    let has_decided = decisions.iter().any(|decision| decision.person == person.name);
    let is_manager = person.may_review(&content.service) && !is_mine;
    let is_approver = person.may_approve(content.tenant, &content.service);
    Can {
        review: request.state == "pending_vendor" && is_manager && !has_decided,
        decide: request.state == "pending_customer" && is_approver && !has_decided,
        end: request.state == "active" && (is_approver || is_mine || is_manager),
        withdraw: request.state.starts_with("pending_") && is_mine,
        fetch: request.state == "active" && is_mine,
        extend: is_mine && matches!(request.state.as_str(), "active" | "ended"),
        report: request.state == "ended" && is_approver,
        comment: request.finished_at.is_none()
            && (is_mine || is_manager || (is_approver && request.state != "pending_vendor")),
    }
}
