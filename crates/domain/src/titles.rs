//! Names for people in place of the short words of messages and rows. The one place for them.

/// A service: `exchange_online` is "Exchange Online"; one that a deployment added is named after its short name.
pub fn service(name: &str) -> String {
    match name {
        "onedrive" => "OneDrive".to_owned(),
        "sharepoint" => "SharePoint".to_owned(),
        _ => name.split('_').map(capital).collect::<Vec<_>>().join(" "),
    }
}

/// A reason, by its code.
pub fn category(code: &str) -> String {
    match code {
        "customer_reported" => "Reported by the customer".to_owned(),
        other => sentence(other),
    }
}

/// Any other short word: `read_only` is "Read only".
pub fn sentence(word: &str) -> String {
    capital(&word.replace('_', " "))
}

/// What happened, after the name of who did it: `request.submitted` is "asked for access".
pub fn happening(type_name: &str) -> String {
    let words = match type_name {
        "request.submitted" => "asked for access",
        "request.vendor_approved" => "said yes for the vendor",
        "request.vendor_denied" => "said no for the vendor",
        "request.customer_approved" => "said yes for the customer",
        "request.customer_denied" => "said no for the customer",
        "request.break_glass_supported" => "said yes to the emergency, as the first of two",
        "request.break_glass_approved" => "said yes to the emergency, as the second of two",
        "request.reminded" => "reminded the customer",
        "request.commented" => "wrote a message",
        "request.expired" => "closed the request: nobody answered in time",
        "request.withdrawn" => "took the request back",
        "request.refused" | "decision.refused" => "was refused",
        "grant.activated" => "granted access",
        "grant.provisioned" => "opened the provisioning",
        "grant.used" => "used the access",
        "grant.token_issued" => "fetched a handle for the gate",
        "grant.ended" => "ended access",
        "grant.revoked" => "closed the provisioning and read it back",
        "grant.provisioning_failed" => "could not move the provisioning yet",
        "notification.sent" => "handed a mail over",
        "notification.failed" => "could not deliver a mail",
        "report.acknowledged" => "accepted the closing report",
        "report.disputed" => "disputed the closing report",
        other => return other.replace(['.', '_'], " "),
    };
    words.to_owned()
}

/// Why access ended.
pub fn ended(cause: &str) -> &str {
    match cause {
        "expired" => "its time was over",
        "revoked_by_customer" => "revoked by the customer",
        "revoked_by_vendor" => "revoked by the vendor",
        "released" => "released by the requester",
        "ticket_closed" => "the service request was closed",
        "requester_disabled" => "the requester was disabled",
        other => other,
    }
}

/// The same with a capital.
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
