//! Who may do what to a request, checked when they do it.

use crate::lifecycle::Decided;
use crate::people::{Person, Side};
use crate::refusal::Refusal;
use crate::request::{EndCause, Request};
use crate::verdict::Verdict;

/// A manager of the vendor, not the requester, who saw the stored content.
pub(super) fn manager(request: &Request, decided: &Decided) -> Result<(), Refusal> {
    enabled(&decided.by)?;
    if decided.by.id == request.content.requester {
        return Err(Refusal::OwnRequest);
    }
    if !decided.by.may_review(&request.content.service) {
        return Err(Refusal::NotManager);
    }
    same_content(request, decided)
}

/// An approver of the request's tenant, not the requester, who saw the stored content.
pub(super) fn customer(request: &Request, decided: &Decided) -> Result<(), Refusal> {
    approver(request, &decided.by)?;
    same_content(request, decided)
}

/// An approver of the request's tenant, not the requester.
pub(super) fn approver(request: &Request, by: &Person) -> Result<(), Refusal> {
    enabled(by)?;
    if by.id == request.content.requester {
        return Err(Refusal::OwnRequest);
    }
    if by.side != Side::Customer(request.content.tenant) {
        return Err(Refusal::WrongTenant);
    }
    if !by.may_approve(request.content.tenant, &request.content.service) {
        return Err(Refusal::NotApprover);
    }
    Ok(())
}

/// Checks the tenant's rule about comments.
pub(super) fn comment(request: &Request, decided: &Decided) -> Result<(), Refusal> {
    let given = decided.comment.as_deref().is_some_and(|comment| !comment.trim().is_empty());
    if request.content.rules.comment_required && !given {
        return Err(Refusal::CommentRequired);
    }
    Ok(())
}

/// Checks the tenant's rule about passkeys. A denial grants nothing and needs no signature.
pub(super) fn passkey(request: &Request, decided: &Decided) -> Result<(), Refusal> {
    let unsigned = decided.verdict == Verdict::Approve && decided.proof.is_none();
    if request.content.rules.passkey_required && unsigned { Err(Refusal::PasskeyRequired) } else { Ok(()) }
}

/// Who may comment: the requester, the vendor's managers, the tenant's approvers.
pub(super) fn speaker(request: &Request, by: &Person) -> Result<(), Refusal> {
    enabled(by)?;
    let service = &request.content.service;
    if by.id == request.content.requester || by.may_review(service) || by.may_approve(request.content.tenant, service) {
        return Ok(());
    }
    Err(Refusal::MayNotComment)
}

/// The requester only.
pub(super) fn requester(request: &Request, by: &Person) -> Result<(), Refusal> {
    enabled(by)?;
    if by.id == request.content.requester { Ok(()) } else { Err(Refusal::NotRequester) }
}

/// Who may revoke access, and the cause that follows from who they are.
pub(super) fn end(request: &Request, by: &Person) -> Result<EndCause, Refusal> {
    enabled(by)?;
    if by.id == request.content.requester {
        Ok(EndCause::Released)
    } else if by.may_approve(request.content.tenant, &request.content.service) {
        Ok(EndCause::RevokedByCustomer)
    } else if by.may_review(&request.content.service) {
        Ok(EndCause::RevokedByVendor)
    } else {
        Err(Refusal::MayNotRevoke)
    }
}

fn enabled(person: &Person) -> Result<(), Refusal> {
    if person.enabled { Ok(()) } else { Err(Refusal::PersonDisabled) }
}

fn same_content(request: &Request, decided: &Decided) -> Result<(), Refusal> {
    if decided.digest == request.digest { Ok(()) } else { Err(Refusal::DigestMismatch) }
}
