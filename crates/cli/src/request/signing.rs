//! Signs a decision with a software key on this machine, after the digest was computed again from the content that is shown.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use consent::{Decision, SignedDecision};
use domain::{Digest, FreeText, Verdict};
use ring::rand::{SecureRandom as _, SystemRandom};
use runtime::outcome::Failure;
use runtime::output::{fields, print_message};
use serde_json::Value;
use uuid::Uuid;

use crate::portal_client::PortalClient;
use crate::show::rows;
use crate::software_key::SoftwareKey;

/// What is decided.
pub(super) struct Intent<'a> {
    pub request: Uuid,
    pub verdict: Verdict,
    /// Approved duration in seconds [default: the requested one].
    pub duration_seconds: Option<i64>,
    pub comment: Option<&'a str>,
    /// Whether to skip the question.
    pub yes: bool,
}

/// A signed decision, and the salt of the commitment to its comment in hexadecimal digits.
pub(super) struct Signed {
    pub digest: String,
    pub signature: SignedDecision,
    pub comment_salt: Option<String>,
}

fn refused(code: &str, message: &str) -> Failure {
    Failure::Refused { code: code.to_owned(), message: message.to_owned() }
}

/// Checks that the digest and the words are those of the content. Returns the digest.
fn check(request: &Value, id: Uuid) -> Result<String, Failure> {
    let content = &request["content"];
    // `serde_json` sorts members, so that this is the document in RFC 8785 form.
    let digest = Digest::of(content.to_string().as_bytes()).to_string();
    let differs = || {
        let message = "the portal shows another content than the one that its digest stands for; nothing was signed. \
                       Inform your security team";
        refused("content_differs", message)
    };
    if request["digest"] != digest.as_str() || content["request"] != id.to_string().as_str() {
        return Err(differs());
    }
    if let Some(text) = request["justification"]["text"].as_str() {
        let salt = hex::decode(request["justification"]["salt"].as_str().unwrap_or_default()).unwrap_or_default();
        let committed = Digest::of(&[salt.as_slice(), text.as_bytes()].concat()).to_string();
        if content["justification"]["committed"] != committed.as_str() {
            return Err(differs());
        }
    }
    for member in ["service", "resource", "service_request"] {
        if request[member] != content[member] {
            return Err(differs());
        }
    }
    Ok(digest)
}

/// Asks on the terminal whether to sign.
fn confirm(verdict: Verdict) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let words = "the decision must be confirmed on a terminal; or add --yes after you have read the request";
        return Err(Failure::Usage(words.to_owned()));
    }
    let question = format!("Type \"{}\" to sign this decision: ", verdict.as_str());
    let mut typed = String::new();
    let asked = std::io::stderr().write_all(question.as_bytes()).and_then(|()| std::io::stdin().read_line(&mut typed));
    asked.map_err(|fault| Failure::Failed(format!("the terminal cannot be read: {fault}")))?;
    if typed.trim() == verdict.as_str() { Ok(()) } else { Err(refused("not_confirmed", "nothing was signed")) }
}

/// Shows the request, asks, and signs.
pub(super) async fn sign(portal: &PortalClient, file: &Path, intent: Intent<'_>) -> Result<Signed, Failure> {
    let key = SoftwareKey::load(file)?;
    let request = portal.request(intent.request).await?;
    let digest = check(&request, intent.request)?;
    let content = &request["content"];
    print_message("You sign a decision about this request:");
    fields(&rows(&request))?;
    if !intent.yes {
        confirm(intent.verdict)?;
    }
    let body = serde_json::json!({ "comment": intent.comment });
    let server = portal.post(&format!("/requests/{}/signing", intent.request), &body).await?;
    let comment = intent.comment.and_then(FreeText::non_empty);
    if server["comment"].as_str() != comment.as_ref().map(FreeText::as_str) {
        return Err(refused("comment_differs", "the portal changed the comment; nothing was signed"));
    }
    let mut salt = [0; 32];
    let no_random = |_| Failure::Failed("the operating system gives no random numbers".to_owned());
    SystemRandom::new().fill(&mut salt).map_err(no_random)?;
    let committed =
        comment.map(|comment| Digest::of(&[salt.as_slice(), comment.as_str().as_bytes()].concat()).to_string());
    let text = |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let requested = content["duration_seconds"].as_i64().unwrap_or_default();
    let decision = Decision {
        tenant: text(&server, "tenant"),
        authority_version: server["authority_version"].as_u64().unwrap_or_default(),
        request: intent.request,
        digest: digest.clone(),
        verdict: intent.verdict.as_str().to_owned(),
        person: text(&server, "person")
            .parse()
            .map_err(|_| Failure::Failed("the portal names no person".to_owned()))?,
        duration_seconds: match intent.verdict {
            Verdict::Approve => intent.duration_seconds.unwrap_or(requested),
            Verdict::Deny => 0,
        },
        service: text(content, "service"),
        resource: text(content, "resource"),
        access_level: text(content, "access_level"),
        comment: committed.clone(),
        nonce: text(&server, "nonce"),
        not_after: text(&server, "not_after"),
    };
    let assertion = key.sign(&decision.challenge());
    let comment_salt = committed.map(|_| hex::encode(salt));
    Ok(Signed { digest, signature: SignedDecision { decision, assertion }, comment_salt })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(id: Uuid) -> Value {
        let committed = Digest::of(&[[7; 32].as_slice(), b"words"].concat()).to_string();
        let content = json!({
            "request": id.to_string(), "service": "sharepoint", "resource": "https://contoso.example/sites/x",
            "service_request": "SR-1", "justification": {"committed": committed},
        });
        let digest = Digest::of(content.to_string().as_bytes()).to_string();
        json!({
            "content": content, "digest": digest, "service": "sharepoint", "service_request": "SR-1",
            "resource": "https://contoso.example/sites/x",
            "justification": {"text": "words", "salt": hex::encode([7; 32])},
        })
    }

    #[test]
    fn only_a_request_whose_shown_parts_fit_its_digest_is_signed() {
        let id = Uuid::from_u128(7);
        let good = request(id);
        assert_eq!(check(&good, id).ok().as_deref(), good["digest"].as_str());
        assert!(check(&good, Uuid::from_u128(8)).is_err(), "another request");
        for (place, value) in [
            ("/content/resource", json!("https://contoso.example/")),
            ("/resource", json!("https://contoso.example/")),
            ("/justification/text", json!("other words")),
            ("/justification/salt", json!("00")),
            ("/digest", json!("00")),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(place).unwrap() = value;
            assert!(check(&changed, id).is_err(), "{place}");
        }
    }
}
