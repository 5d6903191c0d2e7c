//! What a person needs to sign a decision: the nonce, the authority that is in force, and their keys in it. The decision itself is
//! written by the browser or the command line, from the content that it shows.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use consent::{KeyKind, Statement, time_text};
use domain::{FreeText, Person, Side};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::App;
use super::founding::portal;
use super::response::{Form, ScriptResult};
use super::session::Viewer;
use super::visibility::load_request;

/// Which decisions about a request a person signs, and with which keys.
pub(crate) struct Signing {
    /// Short name of the tenant; `vendor` for decisions of the vendor.
    pub authority: String,
    /// The statement in force; `None` without an authority.
    pub statement: Option<Statement>,
    /// Ids of the person's passkeys.
    pub passkeys: Vec<String>,
}

impl Signing {
    /// For a decision of this person about a request of this tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(app: &App, person: &Person, tenant: &str) -> Result<Self, store::Error> {
        let authority = if person.side == Side::Vendor { consent::VENDOR } else { tenant };
        let statement = app.store.statement_in_force(authority).await?;
        let passkeys = match &statement {
            Some(statement) => {
                let keys = statement.approver(person.id.0).into_iter().flat_map(|approver| &approver.keys);
                keys.filter(|key| key.kind == KeyKind::Passkey).map(|key| key.id.clone()).collect()
            }
            None => app.store.passkeys(person.id.0).await?.into_iter().map(|passkey| passkey.credential).collect(),
        };
        Ok(Self { authority: authority.to_owned(), statement, passkeys })
    }

    /// The verdicts that are signed, separated by spaces. Without an authority a passkey signs approvals, because a denial opens
    /// nothing.
    pub fn verdicts(&self) -> &'static str {
        match (&self.statement, self.passkeys.is_empty()) {
            (Some(_), _) => "approve deny",
            (None, false) => "approve",
            (None, true) => "",
        }
    }

    /// Whether the authority requires a signature and the person has no passkey in it.
    pub fn lacks_key(&self) -> bool {
        self.statement.is_some() && self.passkeys.is_empty()
    }

    /// The version of the statement in force; 0 without an authority.
    fn version(&self) -> u64 {
        self.statement.as_ref().map_or(0, |statement| statement.version)
    }

    /// Issues a nonce. `comment` is returned in the form in which it is stored, so that the signer commits to it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn document(
        &self,
        app: &App,
        person: &Person,
        request: Uuid,
        comment: &str,
    ) -> Result<Value, store::Error> {
        let nonce = app.store.issue_nonce(person.id.0, request).await?;
        let rp_id =
            self.statement.as_ref().map_or_else(|| portal(app).rp_id, |statement| statement.portal.rp_id.clone());
        Ok(json!({
            "tenant": self.authority, "authority_version": self.version(), "person": person.id.0, "nonce": nonce.nonce,
            "not_after": time_text(nonce.not_after), "comment": FreeText::non_empty(comment), "rp_id": rp_id,
            "keys": self.passkeys,
        }))
    }
}

#[derive(Deserialize)]
pub(crate) struct SigningForm {
    form_token: String,
    #[serde(default)]
    comment: String,
}

/// Issues a nonce to the script of the request page.
pub(crate) async fn issue(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<SigningForm>,
) -> ScriptResult {
    viewer.check(&form.form_token)?;
    let (request, _) = load_request(&app, &viewer, &id).await?;
    let signing = Signing::of(&app, &viewer.person, &request.tenant).await?;
    Ok(Json(signing.document(&app, &viewer.person, request.id, &form.comment).await?).into_response())
}
