//! Which requests a person sees, and what they can do with one. For display only: the worker role that handles a command
//! checks permissions again.

use domain::{Content, Role};
use store::views::{DecisionView, RequestFilter, RequestView};
use uuid::Uuid;

use super::app::App;
use super::response::PageError;
use super::session::Viewer;

/// Most requests on one page.
pub(crate) const PAGE_LIMIT: i64 = 100;

/// What a person can do with a request now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// Approve or deny for the vendor.
    pub review: bool,
    /// Approve or deny for the customer.
    pub decide: bool,
    /// Revoke active access.
    pub revoke: bool,
    /// Withdraw the request.
    pub withdraw: bool,
    /// Create an access token for the gate.
    pub create_token: bool,
    /// Request an extension.
    pub extend: bool,
    /// Comment on the request.
    pub comment: bool,
    /// Acknowledge or dispute the access report.
    pub report: bool,
}

impl Permissions {
    /// Whether the page shows a form or a link beside comments and the access report.
    pub fn any_action(self) -> bool {
        self.review || self.decide || self.revoke || self.withdraw || self.extend
    }
}

/// The requests that this person sees: their tenant's, their own, or all. As in [`visible_content`], a person of a tenant
/// needs a role to see more than their own requests.
pub(crate) async fn request_scope(app: &App, viewer: &Viewer) -> Result<RequestFilter, PageError> {
    let mut filter = RequestFilter { limit: PAGE_LIMIT, ..RequestFilter::default() };
    match viewer.person.side {
        domain::Side::Customer(id) => {
            let tenants = app.store.tenants().await?;
            let tenant = tenants.into_iter().find(|tenant| tenant.id == id).ok_or(PageError::NotFound)?;
            filter.tenant = Some(tenant.name);
            if !viewer.is_approver() && !viewer.is(Role::Auditor) {
                filter.requester = Some(viewer.person.name.clone());
            }
        }
        domain::Side::Vendor if viewer.is_manager() || viewer.is(Role::Auditor) => {}
        domain::Side::Vendor => filter.requester = Some(viewer.person.name.clone()),
    }
    Ok(filter)
}

/// A request that this person may see, with its content.
pub(crate) async fn load_request(app: &App, viewer: &Viewer, id: &str) -> Result<(RequestView, Content), PageError> {
    let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
    let request = app.store.show_request(id).await?;
    let content = visible_content(viewer, &request)?;
    Ok((request, content))
}

/// The content of a request, if this person may see it. A forbidden request looks like a missing one.
pub(crate) fn visible_content(viewer: &Viewer, request: &RequestView) -> Result<Content, PageError> {
    let content = request.content().ok_or(PageError::NotFound)?;
    let person = &viewer.person;
    let vendor_sees =
        viewer.is_vendor() && (content.requester == person.id || viewer.is(Role::Manager) || viewer.is(Role::Auditor));
    let customer_sees = person.side == domain::Side::Customer(content.tenant)
        && (viewer.is(Role::Approver) || viewer.is(Role::Auditor));
    if vendor_sees || customer_sees { Ok(content) } else { Err(PageError::NotFound) }
}

/// What this person can do with a request.
pub(crate) fn permissions(
    viewer: &Viewer,
    request: &RequestView,
    content: &Content,
    decisions: &[DecisionView],
) -> Permissions {
    let person = &viewer.person;
    let is_requester = content.requester == person.id;
    let has_decided = decisions.iter().any(|decision| decision.person == person.name);
    let is_manager = person.may_review(&content.service) && !is_requester;
    let is_approver = person.may_approve(content.tenant, &content.service);
    let is_pending = matches!(request.state.as_str(), "pending_vendor" | "pending_customer");
    Permissions {
        review: request.state == "pending_vendor" && is_manager && !has_decided,
        decide: request.state == "pending_customer" && is_approver && !has_decided,
        revoke: request.state == "active" && (is_approver || is_requester || is_manager),
        withdraw: is_pending && is_requester,
        create_token: request.state == "active" && is_requester,
        extend: is_requester && matches!(request.state.as_str(), "active" | "ended"),
        report: request.state == "ended" && is_approver,
        comment: request.finished_at.is_none()
            && (is_requester || is_manager || (is_approver && request.state != "pending_vendor")),
    }
}
