//! Founding of a tenant: the invited person opens the link, enters the code, and signs the first statement of the authority in
//! the browser. The portal never has a key: it prepares a draft, and records what was signed.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use consent::{Approver, Assertion, BreakGlassRule, Portal, Rules, SignedStatement, Statement, Witness, time_text};
use contracts::directory::format_seconds;
use domain::Tenant;
use serde::Deserialize;
use serde_json::json;
use store::authority::{Founder, InvitationRefused};

use super::app::App;
use super::response::{Form, PageError, PageResult, ScriptResult, render};

/// Default delay of changes that weaken protection, in seconds: 24 hours.
const CHANGE_DELAY_SECONDS: i64 = 86_400;

#[derive(Template)]
#[template(path = "founding_code.html")]
struct CodePage {
    token: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "founding.html")]
struct FoundingPage {
    token: String,
    code: String,
    tenant: String,
    display_name: String,
    email: String,
    origin: String,
    /// The statement without keys, as JSON.
    draft: String,
    decision_deadline: String,
    access_ceiling: String,
    comment_required: bool,
    notification_recipients: String,
    /// Why this portal cannot have passkeys.
    problem: Option<String>,
}

/// Why an invitation is refused, for people.
fn refusal(refused: InvitationRefused) -> String {
    match refused {
        InvitationRefused::Unknown => {
            "This link is not valid: it expired, was used, or five wrong codes were entered. Ask for a new invitation."
                .to_owned()
        }
        InvitationRefused::WrongCode { left: 0 } => {
            "The code is wrong, and the link has ended. Ask for a new invitation.".to_owned()
        }
        InvitationRefused::WrongCode { left: 1 } => "The code is wrong. You have one more attempt.".to_owned(),
        InvitationRefused::WrongCode { left } => format!("The code is wrong. You have {left} more attempts."),
    }
}

/// Asks for the code. The page says nothing about the invitation.
pub(crate) async fn show(Path(token): Path<String>) -> PageResult {
    render(&CodePage { token, problem: None })
}

#[derive(Deserialize)]
pub(crate) struct CodeForm {
    code: String,
}

/// Shows what is founded, after the code was verified.
pub(crate) async fn enter_code(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(form): Form<CodeForm>,
) -> PageResult {
    match app.store.redeem_invitation(&token, &form.code).await? {
        Ok(founder) => founding_page(&app, (token, form.code), founder).await,
        Err(refused) => render(&CodePage { token, problem: Some(refusal(refused)) }),
    }
}

async fn founding_page(app: &App, (token, code): (String, String), founder: Founder) -> PageResult {
    let tenants = app.store.tenants().await?;
    let tenant = tenants.into_iter().find(|tenant| Some(tenant.id.0) == founder.tenant);
    let draft = draft(app, &founder, tenant.as_ref()).await?;
    render(&FoundingPage {
        token,
        code,
        tenant: tenant.map_or_else(|| "the vendor".to_owned(), |tenant| tenant.display_name),
        display_name: founder.person.display_name,
        email: founder.person.email,
        origin: app.origin.clone(),
        decision_deadline: format_seconds(draft.rules.decision_deadline_seconds),
        access_ceiling: format_seconds(draft.rules.access_ceiling_seconds),
        comment_required: draft.rules.comment_required,
        notification_recipients: draft.notification_recipients.join("\n"),
        draft: draft.document().to_string(),
        problem: app.passkeys.as_ref().err().map(ToString::to_string),
    })
}

/// The first statement, without keys: the invited person approves for all services, with the present rules of the tenant.
async fn draft(app: &App, founder: &Founder, tenant: Option<&Tenant>) -> Result<Statement, PageError> {
    let mut rules = Rules::default();
    let (mut notification_recipients, mut break_glass) = (Vec::new(), Vec::new());
    if let Some(tenant) = tenant {
        rules.decision_deadline_seconds = tenant.rules.decision_deadline_seconds;
        rules.access_ceiling_seconds = tenant.rules.access_ceiling_seconds;
        rules.comment_required = tenant.rules.comment_required;
        let witnesses = app.store.witnesses_of(tenant.id.0).await?;
        rules.witnesses = witnesses.into_iter().map(|(name, key)| Witness { name, key }).collect();
        let (required, known) = app.store.witnesses_required(tenant.id.0).await?;
        rules.witnesses_required =
            usize::try_from(i64::from(required.unwrap_or_default()).min(known)).unwrap_or_default();
        notification_recipients.clone_from(&tenant.notification_recipients);
        let policies = app.store.policies(tenant.id.0).await?;
        break_glass = policies.into_iter().map(|usage| rule(&usage.policy)).collect();
    }
    let person = &founder.person;
    Ok(Statement {
        v: 1,
        tenant: founder.authority.clone(),
        version: 1,
        previous: None,
        approvers: vec![Approver {
            person: person.id.0,
            name: person.name.clone(),
            email: person.email.clone(),
            services: Vec::new(),
            keys: Vec::new(),
        }],
        change_signatures: 1,
        change_delay_seconds: CHANGE_DELAY_SECONDS,
        recovery_key: None,
        portal: portal(app),
        rules,
        identity_provider: None,
        notification_recipients,
        break_glass,
        delegations: Vec::new(),
        effective_at: time_text(app.store.clock().await?),
    })
}

/// A break-glass policy as a statement holds it.
pub(crate) fn rule(policy: &domain::BreakGlassPolicy) -> BreakGlassRule {
    BreakGlassRule {
        v: 1,
        policy: policy.id,
        tenant: policy.tenant.0,
        name: policy.name.clone(),
        services: policy.services.clone(),
        ceiling_seconds: policy.ceiling_seconds,
        quota: u32::try_from(policy.quota).unwrap_or_default(),
        until: time_text(policy.until),
    }
}

/// The address at which passkeys of this portal count.
pub(crate) fn portal(app: &App) -> Portal {
    let host = url::Url::parse(&app.origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    Portal { origin: app.origin.clone(), rp_id: host.unwrap_or_default() }
}

#[derive(Deserialize)]
pub(crate) struct StatementForm {
    code: String,
    /// The statement, as JSON.
    statement: String,
    /// The signature of the new passkey, as JSON.
    assertion: String,
}

/// Records the signed statement.
pub(crate) async fn found(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(form): Form<StatementForm>,
) -> ScriptResult {
    let unreadable = |what: &str| PageError::Invalid(format!("The {what} cannot be read."));
    let statement: Statement = serde_json::from_str(&form.statement).map_err(|_| unreadable("statement"))?;
    let assertion: Assertion = serde_json::from_str(&form.assertion).map_err(|_| unreadable("signature"))?;
    let refused =
        |code: &str, message: String| PageError::Refused { code: code.to_owned(), message, back: "/".to_owned() };
    if statement.portal != portal(&app) {
        return Err(refused("authority.portal", "The statement names another portal than this one.".to_owned()).into());
    }
    let signed = SignedStatement { statement, signatures: vec![assertion] };
    let founded = app.store.record_founding((&token, &form.code), &signed, "portal/invitation").await?;
    let (recorded, messages) = founded.map_err(|why| refused("invitation", refusal(why)))?;
    app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
    Ok(Json(json!({ "recorded_at": time_text(recorded.recorded_at) })).into_response())
}
