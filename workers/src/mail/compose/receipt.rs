//! What a mail says of a recorded act: through which channel it came, how the person was signed in, and what to do if it was
//! not they.

use contracts::events::Auth;
use contracts::notifications::Receipt;

fn channel(auth: &Auth) -> String {
    match auth.method.as_str() {
        "portal" => "the portal".to_owned(),
        "api" => "the HTTP API".to_owned(),
        "cli" => "the command line on the vendor's side".to_owned(),
        "broker" => match &auth.login {
            Some(login) => format!("a message of the program {login}"),
            None => "a message of a program".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn signed_in(auth: &Auth) -> &str {
    match auth.signed_in.as_deref() {
        Some("oidc") => "with the identity provider",
        Some("token") => "with an API token",
        Some("developer") => "with the development sign-in, which asks for no password",
        Some("database") => "no: whoever has the database login can name anybody",
        Some(other) => other,
        None => "not known",
    }
}

/// How it is known, as rows of the mail's table.
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

/// What to do if it was not the person.
pub(super) fn notes(receipt: &Receipt, by_name: &str) -> Vec<String> {
    let person = &receipt.person_name;
    let act = "sign in, revoke access that should not be open, and tell the security team of your organization at once";
    if receipt.to_person {
        return vec![format!(
            "If this was not you, somebody acted in your name: {act}. Then sign out of all devices, and remove passkeys and \
             have tokens revoked that you do not know."
        )];
    }
    let whom =
        if by_name == person || person.is_empty() { by_name.to_owned() } else { format!("{person} and {by_name}") };
    vec![format!("If you did not expect this, ask {whom} in person or by telephone. If nobody knows of it, {act}.")]
}
