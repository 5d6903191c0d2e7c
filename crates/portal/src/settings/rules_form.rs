//! The form with a tenant's rules: what an approver entered, and whether it is valid.

use contracts::directory::{format_seconds, is_address, parse_seconds};
use domain::{Rules, Tenant};
use serde::Deserialize;

use crate::refused::Problem;

/// What an approver entered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RulesInput {
    pub form_token: String,
    pub notification_recipients: String,
    pub decision_deadline: String,
    pub access_default: String,
    pub access_ceiling: String,
    pub required_approvals: String,
    pub reminders: String,
    pub comment_required: Option<String>,
    pub passkey_required: Option<String>,
    /// Missing in forms from before witnesses existed: then the setting does not change.
    pub witnesses_required: Option<String>,
}

/// An option of a list: value, label, and whether it is selected.
pub(super) type SelectOption = (String, String, bool);

impl RulesInput {
    /// The form with the current rules.
    pub(super) fn of(tenant: &Tenant) -> Self {
        let rules = &tenant.rules;
        let reminders: Vec<String> = rules.reminders_seconds.iter().map(|seconds| format_seconds(*seconds)).collect();
        Self {
            form_token: String::new(),
            notification_recipients: tenant.notification_recipients.join("\n"),
            decision_deadline: format_seconds(rules.decision_deadline_seconds),
            access_default: format_seconds(rules.access_default_seconds),
            access_ceiling: format_seconds(rules.access_ceiling_seconds),
            required_approvals: rules.required_approvals.to_string(),
            reminders: reminders.join(" "),
            comment_required: rules.comment_required.then(String::new),
            passkey_required: rules.passkey_required.then(String::new),
            witnesses_required: None,
        }
    }

    /// The number of witnesses that was selected; `None` when the setting does not change.
    ///
    /// # Errors
    /// When there are fewer witnesses.
    pub(super) fn witnesses(&self, current: (Option<i32>, i64)) -> Result<Option<Option<i32>>, Problem> {
        let Some(text) = &self.witnesses_required else { return Ok(None) };
        let selected = proof_options(current).into_iter().find(|(value, _, _)| value == text);
        let selected = selected.ok_or_else(|| {
            let problem = "Audit proof: there are fewer witnesses. Select another option.";
            Problem::new("witnesses_required", problem)
        })?;
        let number = selected.0.parse().ok();
        Ok((number != current.0).then_some(number))
    }

    /// The rules and the notification recipients.
    ///
    /// # Errors
    /// Everything that is not valid.
    pub(super) fn parse(&self, current: &Rules, approvers: i64) -> Result<(Rules, Vec<String>), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut seconds = |name: &str, text: &str| {
            parse_seconds(text).unwrap_or_else(|problem| {
                problems.push(rule_problem(name, &problem));
                1
            })
        };
        let rules = Rules {
            review_deadline_seconds: current.review_deadline_seconds,
            decision_deadline_seconds: seconds("decision_deadline", &self.decision_deadline),
            access_default_seconds: seconds("access_default", &self.access_default),
            access_ceiling_seconds: seconds("access_ceiling", &self.access_ceiling),
            reminders_seconds: self.reminders.split_whitespace().map(|text| seconds("reminders", text)).collect(),
            required_approvals: self.required_approvals.trim().parse().unwrap_or(0),
            comment_required: self.comment_required.is_some(),
            passkey_required: self.passkey_required.is_some(),
        };
        if i64::from(rules.required_approvals) > approvers {
            let problem = format!("you have {approvers} approvers, so no request could get that many approvals");
            problems.push(rule_problem("required_approvals", &problem));
        }
        let addresses: Vec<String> = self.notification_recipients.split_whitespace().map(str::to_owned).collect();
        let invalid = addresses.iter().filter(|text| !is_address(text));
        problems.extend(
            invalid.map(|text| rule_problem("notification_recipients", &format!("{text:?} is not an email address"))),
        );
        if problems.is_empty() {
            problems.extend(rules.faults().into_iter().map(|(field, problem)| rule_problem(field, &problem)));
        }
        if problems.is_empty() { Ok((rules, addresses)) } else { Err(problems) }
    }
}

/// An error message with the label of its field. Rules name their unit; the fields accept any unit.
fn rule_problem(field: &str, problem: &str) -> Problem {
    const LABELS: [(&str, &str); 6] = [
        ("decision_deadline", "Decision deadline"),
        ("access_default", "Default duration"),
        ("access_ceiling", "Maximum duration"),
        ("required_approvals", "Required approvals"),
        ("reminders", "Reminders"),
        ("notification_recipients", "Notification recipients"),
    ];
    let field = field.trim_end_matches("_seconds");
    let label = LABELS.iter().find(|(name, _)| *name == field).map_or(field, |(_, label)| *label);
    Problem::new(field, format!("{label}: {problem}"))
}

/// What can be required before access opens, up to the number of witnesses.
pub(super) fn proof_options((required, witnesses): (Option<i32>, i64)) -> Vec<SelectOption> {
    let numbers = (0..=i32::try_from(witnesses).unwrap_or_default()).map(Some);
    let label = |number: Option<i32>| match number {
        None => "No: approvals in the database are enough".to_owned(),
        Some(0) => "Approvals in the signed audit log".to_owned(),
        Some(1) => "Approvals in the signed audit log, cosigned by 1 witness".to_owned(),
        Some(number) => format!("Approvals in the signed audit log, cosigned by {number} witnesses"),
    };
    let value = |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
    std::iter::once(None).chain(numbers).map(|number| (value(number), label(number), number == required)).collect()
}
