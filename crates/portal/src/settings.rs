//! A tenant's own settings, for its approvers. What is set counts for requests from now on.

use askama::Template;
use axum::extract::State;
use chrono::NaiveDateTime;
use contracts::directory::{format_seconds, is_address, parse_seconds};
use contracts::envelope::Message;
use domain::{Role, Rules, Side, Tenant};
use serde::Deserialize;
use store::settings::Delegation;
use store::webhooks::WebhookView;

use super::App;
use super::answer::{Answer, Fault, Filled, go, page};
use super::look::Moment;
use super::refused::{Problem, at};
use super::session::Viewer;

pub(crate) mod policies;

/// A delegate decides for at most this many days.
const AWAY_LIMIT_DAYS: i64 = 90;

struct Away {
    sentence: String,
    until: Moment,
    is_mine: bool,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    viewer: Viewer,
    tenant: Tenant,
    asked: Asked,
    review: String,
    approver_rules: super::approvers::Form,
    webhooks: Vec<WebhookView>,
    /// Short name and name for people of those who could decide for the viewer.
    colleagues: Vec<(String, String)>,
    away: Vec<Away>,
    rules: Vec<policies::Shown>,
    services: Vec<String>,
    /// How many witnesses must have signed before access opens, as choices: value, words, chosen.
    proofs: Vec<(String, String, bool)>,
    /// A form that was refused.
    typed: Typed,
}

/// What was typed into a form of this page that was refused, and why.
#[derive(Default)]
pub(super) struct Typed {
    /// The form: `rules`, `away`, `approvers`, `webhooks` or `emergencies`.
    pub form: &'static str,
    pub problems: Vec<Problem>,
    pub rules: Option<Asked>,
    pub away: Leave,
    pub approvers: Option<super::approvers::Refused>,
    pub webhook: super::webhooks::Asked,
    pub policy: policies::Rule,
}

impl Typed {
    /// A form that was refused for these reasons.
    pub fn refused(form: &'static str, problems: Vec<Problem>) -> Self {
        Self { form, problems, ..Self::default() }
    }

    /// What is wrong with a field of a form.
    fn at(&self, form: &str, field: &str) -> Option<&str> {
        if self.form == form { at(&self.problems, field) } else { None }
    }
}

/// What an approver typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    form_token: String,
    notification_recipients: String,
    decision_deadline: String,
    access_default: String,
    access_ceiling: String,
    required_approvals: String,
    reminders: String,
    comment_required: Option<String>,
    passkey_required: Option<String>,
    /// Not in forms from before there were witnesses: then it stays as it is.
    witnesses_required: Option<String>,
}

impl Asked {
    fn of(tenant: &Tenant) -> Self {
        let rules = &tenant.rules;
        Self {
            form_token: String::new(),
            notification_recipients: tenant.notification_recipients.join("\n"),
            decision_deadline: format_seconds(rules.decision_deadline_seconds),
            access_default: format_seconds(rules.access_default_seconds),
            access_ceiling: format_seconds(rules.access_ceiling_seconds),
            required_approvals: rules.required_approvals.to_string(),
            reminders: rules
                .reminders_seconds
                .iter()
                .map(|seconds| format_seconds(*seconds))
                .collect::<Vec<_>>()
                .join(" "),
            comment_required: rules.comment_required.then(String::new),
            passkey_required: rules.passkey_required.then(String::new),
            witnesses_required: None,
        }
    }

    /// The number of witnesses that was chosen: `None` when it stays as it is.
    fn witnesses(&self, held: (Option<i32>, i64)) -> Result<Option<Option<i32>>, Problem> {
        let Some(text) = &self.witnesses_required else { return Ok(None) };
        let chosen = proofs(held).into_iter().find(|(value, _, _)| value == text);
        let chosen = chosen.ok_or_else(|| Problem::new("witnesses_required", "There are not so many witnesses."))?;
        let number = chosen.0.parse().ok();
        Ok((number != held.0).then_some(number))
    }

    /// The rules that were typed, or everything that is wrong with them.
    fn read(&self, before: &Rules, approvers: i64) -> Result<(Rules, Vec<String>), Vec<Problem>> {
        let mut faults = Vec::new();
        let mut seconds = |name: &str, text: &str| {
            parse_seconds(text).unwrap_or_else(|fault| {
                faults.push(of_rule(name, &fault));
                1
            })
        };
        let rules = Rules {
            review_deadline_seconds: before.review_deadline_seconds,
            decision_deadline_seconds: seconds("decision_deadline", &self.decision_deadline),
            access_default_seconds: seconds("access_default", &self.access_default),
            access_ceiling_seconds: seconds("access_ceiling", &self.access_ceiling),
            reminders_seconds: self.reminders.split_whitespace().map(|text| seconds("reminders", text)).collect(),
            required_approvals: self.required_approvals.trim().parse().unwrap_or(0),
            comment_required: self.comment_required.is_some(),
            passkey_required: self.passkey_required.is_some(),
        };
        if i64::from(rules.required_approvals) > approvers {
            let problem = format!("you have {approvers} approvers, so requests could never get that many approvals");
            faults.push(of_rule("required_approvals", &problem));
        }
        let addresses: Vec<String> = self.notification_recipients.split_whitespace().map(str::to_owned).collect();
        let bad = addresses.iter().filter(|text| !is_address(text));
        faults
            .extend(bad.map(|text| of_rule("notification_recipients", &format!("{text:?} is not an e-mail address"))));
        if faults.is_empty() {
            faults.extend(rules.faults().into_iter().map(|(field, problem)| of_rule(field, &problem)));
        }
        if faults.is_empty() { Ok((rules, addresses)) } else { Err(faults) }
    }
}

/// A problem of a rule, as it stands beside its field. The rules name their unit, the fields take any.
fn of_rule(field: &str, problem: &str) -> Problem {
    const LABELS: [(&str, &str); 6] = [
        ("decision_deadline", "Time to decide"),
        ("access_default", "Usual access"),
        ("access_ceiling", "Longest access"),
        ("required_approvals", "Approvals needed"),
        ("reminders", "Reminders"),
        ("notification_recipients", "Extra addresses"),
    ];
    let field = field.trim_end_matches("_seconds");
    let label = LABELS.iter().find(|(name, _)| *name == field).map_or(field, |(_, label)| *label);
    Problem::new(field, format!("{label}: {problem}"))
}

/// What may be asked for, up to as many witnesses as there are.
fn proofs((required, witnesses): (Option<i32>, i64)) -> Vec<(String, String, bool)> {
    let numbers = (0..=i32::try_from(witnesses).unwrap_or_default()).map(Some);
    let words = |number: Option<i32>| match number {
        None => "both yeses in the database".to_owned(),
        Some(0) => "both yeses in the signed log".to_owned(),
        Some(1) => "and one witness has signed".to_owned(),
        Some(number) => format!("and {number} witnesses have signed"),
    };
    let value = |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
    std::iter::once(None).chain(numbers).map(|number| (value(number), words(number), number == required)).collect()
}

/// The tenant whose settings this person keeps.
pub(super) async fn own(app: &App, viewer: &Viewer) -> Result<Tenant, Fault> {
    let Side::Customer(id) = viewer.person.side else { return Err(Fault::Missing) };
    if !viewer.is(Role::Approver) {
        return Err(Fault::Missing);
    }
    app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id).ok_or(Fault::Missing)
}

pub(super) async fn settings_page(app: &App, viewer: Viewer, typed: Typed) -> Answer {
    let tenant = own(app, &viewer).await?;
    let people = app.store.people_of(tenant.id.0).await?;
    let colleagues = people.iter().filter(|person| person.id != viewer.person.id);
    let colleagues = colleagues.map(|person| (person.name.clone(), person.display_name.clone())).collect();
    let away = app.store.delegations(tenant.id.0).await?.into_iter().map(|delegation: Delegation| Away {
        sentence: format!("{} decides for {}", delegation.delegate_name, delegation.person_name),
        until: delegation.until_at.into(),
        is_mine: delegation.person == viewer.person.name,
    });
    let held = app.store.approver_rules(tenant.id.0).await?;
    let services = app.store.services().await?;
    page(&SettingsPage {
        asked: typed.rules.clone().unwrap_or_else(|| Asked::of(&tenant)),
        review: super::look::duration(tenant.rules.review_deadline_seconds),
        approver_rules: super::approvers::form(&held, typed.approvers.as_ref(), &people, services.clone()),
        webhooks: app.store.webhooks(Some(tenant.id.0)).await?,
        colleagues,
        away: away.collect(),
        rules: policies::shown(app, tenant.id.0).await?,
        services: super::ask::every_service(services),
        proofs: proofs(app.store.witnesses_required(tenant.id.0).await?),
        typed,
        tenant,
        viewer,
    })
}

pub(super) async fn publish(app: &App, messages: Vec<Message>) -> Answer {
    app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
    go("/settings")
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer) -> Answer {
    settings_page(&app, viewer, Typed::default()).await
}

pub(crate) async fn change(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    let tenant = own(&app, &viewer).await?;
    let approvers = app.store.approver_count(tenant.id.0).await?;
    let read = match asked.read(&tenant.rules, approvers) {
        Ok((rules, addresses)) => match asked.witnesses(app.store.witnesses_required(tenant.id.0).await?) {
            Ok(required) => Ok((rules, addresses, required)),
            Err(problem) => Err(vec![problem]),
        },
        Err(problems) => Err(problems),
    };
    let (rules, addresses, required) = match read {
        Ok(read) => read,
        Err(problems) => {
            let typed = Typed { rules: Some(asked), ..Typed::refused("rules", problems) };
            return settings_page(&app, viewer, typed).await;
        }
    };
    let mut messages = app.store.change_settings(viewer.by(), &rules, &addresses).await?;
    if let Some(required) = required {
        messages.extend(app.store.require_witnesses(viewer.by(), required).await?);
    }
    publish(&app, messages).await
}

/// Who decides while the viewer is away.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Leave {
    form_token: String,
    /// Short name; empty when nobody does any more.
    delegate: String,
    #[serde(default)]
    until: String,
}

pub(crate) async fn leave(State(app): State<App>, viewer: Viewer, Filled(form): Filled<Leave>) -> Answer {
    viewer.check(&form.form_token)?;
    own(&app, &viewer).await?;
    if form.delegate.is_empty() {
        let messages = app.store.end_delegation(viewer.by()).await?;
        return publish(&app, messages).await;
    }
    let now = app.store.clock().await?;
    let until = NaiveDateTime::parse_from_str(form.until.trim(), "%Y-%m-%dT%H:%M").map(|at| at.and_utc());
    let until = until.ok().filter(|at| *at > now && *at <= now + chrono::TimeDelta::days(AWAY_LIMIT_DAYS));
    let Some(until) = until else {
        let problem = format!("Until: enter a time (UTC) within the next {AWAY_LIMIT_DAYS} days");
        let typed = Typed { away: form, ..Typed::refused("away", vec![Problem::new("until", problem)]) };
        return settings_page(&app, viewer, typed).await;
    };
    let messages = app.store.delegate(viewer.by(), &form.delegate, until).await?;
    publish(&app, messages).await
}
