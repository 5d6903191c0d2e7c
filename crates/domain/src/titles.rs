//! Display names for the identifiers in messages and rows. No other module defines such names.

/// The name of a service: `exchange_online` is "Exchange Online". Services that a deployment adds are named after their identifier.
pub fn service(name: &str) -> String {
    match name {
        "onedrive" => "OneDrive".to_owned(),
        "sharepoint" => "SharePoint".to_owned(),
        _ => name.split('_').map(capital).collect::<Vec<_>>().join(" "),
    }
}

/// The name of a reason category.
pub fn category(code: &str) -> String {
    match code {
        "customer_reported" => "Reported by the customer".to_owned(),
        other => sentence(other),
    }
}

/// The name of any other identifier: `read_only` is "Read only".
pub fn sentence(word: &str) -> String {
    capital(&word.replace('_', " "))
}

/// What happened, to follow the name of the actor: `request.submitted` is "requested access".
pub fn action(type_name: &str) -> String {
    let words = match type_name {
        "request.submitted" => "requested access",
        "request.vendor_approved" => "approved for the vendor",
        "request.vendor_denied" => "denied for the vendor",
        "request.customer_approved" => "approved for the customer",
        "request.customer_denied" => "denied for the customer",
        "request.break_glass_supported" => "approved break-glass access, first of two approvals",
        "request.break_glass_approved" => "approved break-glass access, second of two approvals",
        "request.reminded" => "sent a reminder to the customer",
        "request.commented" => "commented",
        "request.expired" => "closed the request because its deadline passed without a decision",
        "request.withdrawn" => "withdrew the request",
        "request.refused" | "decision.refused" => "sent a command that was refused",
        "grant.activated" => "activated access",
        "grant.provisioned" => "provisioned access in the target system",
        "grant.used" => "used the access",
        "grant.token_issued" => "created an access token",
        "grant.ended" => "ended access",
        "grant.revoked" => "confirmed that access is revoked in the target system",
        "grant.provisioning_failed" => "could not change access in the target system yet",
        "notification.sent" => "sent a mail",
        "notification.failed" => "could not deliver a mail",
        "report.acknowledged" => "acknowledged the access report",
        "report.disputed" => "disputed the access report",
        other => return other.replace(['.', '_'], " "),
    };
    words.to_owned()
}

/// Why access ended.
pub fn ended(cause: &str) -> &str {
    match cause {
        "expired" => "its duration was over",
        "revoked_by_customer" => "revoked by the customer",
        "revoked_by_vendor" => "revoked by the vendor",
        "released" => "released by the requester",
        "ticket_closed" => "the service request was closed",
        "requester_disabled" => "the requester was disabled",
        other => other,
    }
}

/// The text with its first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn short_words_read_like_names() {
        assert_eq!(super::service("exchange_online"), "Exchange Online");
        assert_eq!(super::service("onedrive"), "OneDrive");
        assert_eq!(super::service("ticket_archive"), "Ticket Archive");
        assert_eq!(super::category("customer_reported"), "Reported by the customer");
        assert_eq!(super::category("security_incident"), "Security incident");
        assert_eq!(super::sentence(""), "");
    }
}
