//! The receipt of a recorded action in a mail: the channel, how the person was signed in, and what to do if the person did
//! not act.

use contracts::events::Auth;
use contracts::notifications::Receipt;

fn channel(auth: &Auth) -> String {
    match auth.method.as_str() {
        "portal" => "the portal".to_owned(),
        "api" => "the HTTP API".to_owned(),
        "cli" => "the vendor's command line".to_owned(),
        "broker" => match &auth.login {
            Some(login) => format!("a message from the program {login}"),
            None => "a message from a program".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn signed_in(auth: &Auth) -> &str {
    match auth.signed_in.as_deref() {
        Some("oidc") => "with the identity provider",
        Some("token") => "with an API token",
        Some("developer") => "with the development sign-in, which needs no password",
        Some("database") => "no; anyone with the database login can act as any person",
        Some(other) => other,
        None => "not known",
    }
}

/// Channel and sign-in as rows of the mail's table.
pub(super) fn rows(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(auth) = &receipt.auth {
        rows.push(("Channel", channel(auth)));
        rows.push(("Signed in", signed_in(auth).to_owned()));
        rows.push(("Signed with a passkey", if auth.passkey { "yes" } else { "no" }.to_owned()));
    }
    rows.push(("Audit event", receipt.event.to_string()));
    rows
}

/// What to do if the person did not act.
pub(super) fn notes(receipt: &Receipt, by_name: &str) -> Vec<String> {
    let person = &receipt.person_name;
    let act = "sign in, revoke access that should not be active, and inform your security team at once";
    if receipt.to_person {
        return vec![format!(
            "If this was not you, another person acted in your name: {act}. Then sign out of all devices, remove passkeys that \
             you do not know, and have API tokens revoked that you do not know."
        )];
    }
    let whom =
        if by_name == person || person.is_empty() { by_name.to_owned() } else { format!("{person} and {by_name}") };
    vec![format!("If you did not expect this, ask {whom} in person or by telephone. If they do not know of it, {act}.")]
}
