//! What a new statement changes, and whether that weakens the tenant's protection.

use std::collections::BTreeSet;

use chrono::DateTime;
use uuid::Uuid;

use crate::statement::{Approver, BreakGlassRule, Delegation, Rules, Statement};

/// What a change does to the tenant's protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It lets more happen, or lets more people decide. It takes effect after the delay.
    Weakens,
    /// It lets less happen. It takes effect at once.
    Strengthens,
    /// It changes neither.
    Neutral,
}

/// One difference between two statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A sentence without its full stop, for pages, mails and reports.
    pub sentence: String,
    /// What it does.
    pub effect: Effect,
    /// The approver whose own keys or delegation it is about, and nothing else. This approver may make the change alone.
    pub own_of: Option<Uuid>,
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, effect: Effect, sentence: String) {
        self.0.push(Change { sentence, effect, own_of: None });
    }

    /// A number: `weaker` says whether the new one protects less.
    fn number<T: PartialEq + std::fmt::Display>(&mut self, what: &str, before: T, after: T, weaker: bool) {
        if before != after {
            let effect = if weaker { Effect::Weakens } else { Effect::Strengthens };
            self.add(effect, format!("{what} changes from {before} to {after}"));
        }
    }

    fn switch(&mut self, what: &str, (before, after): (bool, bool), protects: bool) {
        if before != after {
            let effect = if after == protects { Effect::Strengthens } else { Effect::Weakens };
            self.add(effect, format!("{what} is switched {}", if after { "on" } else { "off" }));
        }
    }
}

/// Every difference between two statements of one tenant, but for version, predecessor and time of effect.
pub fn changes(before: &Statement, after: &Statement) -> Vec<Change> {
    let mut found = Changes::default();
    for approver in &after.approvers {
        match before.approver(approver.person) {
            Some(earlier) => approver_changes(&mut found, earlier, approver),
            None => found.add(Effect::Weakens, format!("{} becomes an approver", approver.name)),
        }
    }
    for approver in before.approvers.iter().filter(|approver| after.approver(approver.person).is_none()) {
        found.add(Effect::Strengthens, format!("{} is no longer an approver", approver.name));
    }
    let (old, new) = (before.change_signatures, after.change_signatures);
    found.number("the number of signatures for a change", old, new, new < old);
    let (old, new) = (before.change_delay_seconds, after.change_delay_seconds);
    found.number("the delay of weakening changes in seconds", old, new, new < old);
    if before.recovery_key != after.recovery_key {
        let effect = if after.recovery_key.is_none() { Effect::Strengthens } else { Effect::Weakens };
        found.add(effect, "the recovery key changes".into());
    }
    if before.portal != after.portal {
        found.add(
            Effect::Weakens,
            format!("passkeys count at {} instead of {}", after.portal.origin, before.portal.origin),
        );
    }
    if before.identity_provider != after.identity_provider {
        found.add(Effect::Weakens, "the identity provider changes".into());
    }
    rule_changes(&mut found, &before.rules, &after.rules);
    recipient_changes(&mut found, &before.notification_recipients, &after.notification_recipients);
    break_glass_changes(&mut found, &before.break_glass, &after.break_glass);
    delegation_changes(&mut found, before, after);
    found.0
}

fn approver_changes(found: &mut Changes, before: &Approver, after: &Approver) {
    let name = &after.name;
    if before.name != after.name {
        found.add(Effect::Neutral, format!("{} is called {name}", before.name));
    }
    if before.email != after.email {
        found.add(Effect::Weakens, format!("the address of {name} changes from {} to {}", before.email, after.email));
    }
    if set(&before.services) != set(&after.services) {
        let wider = !before.services.is_empty()
            && (after.services.is_empty() || !set(&after.services).is_subset(&set(&before.services)));
        let effect = if wider { Effect::Weakens } else { Effect::Strengthens };
        found.add(effect, format!("{name} decides about other services"));
    }
    for key in after.keys.iter().filter(|key| !before.keys.contains(key)) {
        let sentence = format!("{name} gets the key {}", key.id);
        found.0.push(Change { sentence, effect: Effect::Weakens, own_of: Some(after.person) });
    }
    for key in before.keys.iter().filter(|key| !after.keys.contains(key)) {
        let sentence = format!("{name} loses the key {}", key.id);
        found.0.push(Change { sentence, effect: Effect::Strengthens, own_of: Some(after.person) });
    }
}

fn set(texts: &[String]) -> BTreeSet<&str> {
    texts.iter().map(String::as_str).collect()
}

fn rule_changes(found: &mut Changes, before: &Rules, after: &Rules) {
    let (old, new) = (before.decision_deadline_seconds, after.decision_deadline_seconds);
    found.number("the time for a decision in seconds", old, new, new > old);
    let (old, new) = (before.access_ceiling_seconds, after.access_ceiling_seconds);
    found.number("the longest access in seconds", old, new, new > old);
    let (old, new) = (before.required_approvals, after.required_approvals);
    found.number("the number of required approvals", old, new, new < old);
    let (old, new) = (before.witnesses_required, after.witnesses_required);
    found.number("the number of required cosignatures", old, new, new < old);
    found.switch("a comment with each decision", (before.comment_required, after.comment_required), true);
    found.switch("signing with software keys", (before.software_keys, after.software_keys), false);
    let witnesses = |rules: &Rules| rules.witnesses.iter().cloned().collect::<BTreeSet<_>>();
    if witnesses(before) != witnesses(after) {
        // Another witness may be the vendor's own, so a new one is no gain by itself.
        found.add(Effect::Weakens, "the witnesses change".into());
    }
}

fn recipient_changes(found: &mut Changes, before: &[String], after: &[String]) {
    for address in set(after).difference(&set(before)) {
        found.add(Effect::Strengthens, format!("{address} is notified"));
    }
    for address in set(before).difference(&set(after)) {
        found.add(Effect::Weakens, format!("{address} is no longer notified"));
    }
}

fn break_glass_changes(found: &mut Changes, before: &[BreakGlassRule], after: &[BreakGlassRule]) {
    let same = |rules: &[BreakGlassRule], id: Uuid| rules.iter().find(|rule| rule.policy == id).cloned();
    for rule in after {
        let name = &rule.name;
        match same(before, rule.policy) {
            None => found.add(Effect::Weakens, format!("the break-glass policy {name} is added")),
            Some(earlier) if earlier == *rule => {}
            Some(earlier) => {
                let narrower = rule.name == earlier.name
                    && rule.tenant == earlier.tenant
                    && set(&rule.services).is_subset(&set(&earlier.services))
                    && rule.ceiling_seconds <= earlier.ceiling_seconds
                    && rule.quota <= earlier.quota
                    && is_not_later(&rule.until, &earlier.until);
                let effect = if narrower { Effect::Strengthens } else { Effect::Weakens };
                found.add(effect, format!("the break-glass policy {name} changes"));
            }
        }
    }
    for rule in before.iter().filter(|rule| same(after, rule.policy).is_none()) {
        found.add(Effect::Strengthens, format!("the break-glass policy {} is removed", rule.name));
    }
}

fn is_not_later(time: &str, other: &str) -> bool {
    match (DateTime::parse_from_rfc3339(time), DateTime::parse_from_rfc3339(other)) {
        (Ok(time), Ok(other)) => time <= other,
        _ => false,
    }
}

fn delegation_changes(found: &mut Changes, before: &Statement, after: &Statement) {
    let name = |person: Uuid| {
        let approver = after.approver(person).or_else(|| before.approver(person));
        approver.map_or_else(|| person.to_string(), |approver| approver.name.clone())
    };
    let mut add = |effect, delegation: &Delegation, what: String| {
        found.0.push(Change { sentence: what, effect, own_of: Some(delegation.person) });
    };
    for new in after.delegations.iter().filter(|new| !before.delegations.contains(new)) {
        let (delegate, person) = (name(new.delegate), name(new.person));
        add(Effect::Weakens, new, format!("{delegate} decides for {person} until {}", new.until));
    }
    for old in before.delegations.iter().filter(|old| !after.delegations.contains(old)) {
        let (delegate, person) = (name(old.delegate), name(old.person));
        add(Effect::Strengthens, old, format!("{delegate} no longer decides for {person}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Witness;
    use crate::testing::{Device, approver, founding};

    /// A way to change a statement.
    type Edit = fn(&mut Statement);

    fn policy(quota: u32) -> BreakGlassRule {
        BreakGlassRule {
            v: 1,
            policy: Uuid::from_u128(5),
            tenant: Uuid::from_u128(6),
            name: "night".into(),
            services: vec!["sharepoint".into()],
            ceiling_seconds: 900,
            quota,
            until: "2027-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn each_way_to_weaken_protection_is_recognized_and_its_opposite_strengthens() {
        let (alex, dana) = (Device::new(), Device::new());
        let mut base = founding(&[&alex, &dana]);
        base.approvers[0].services = vec!["sharepoint".into()];
        let weakening: [(Edit, &str); 14] = [
            (|next| next.approvers.push(approver("mallory", 9, &Device::new())), "mallory becomes an approver"),
            (|next| next.approvers[0].services.clear(), "other services"),
            (|next| next.approvers[1].keys.push(Device::new().key), "gets the key"),
            (|next| next.change_signatures -= 1, "signatures for a change"),
            (|next| next.change_delay_seconds -= 1, "delay"),
            (|next| next.recovery_key = Some(Device::software().key), "recovery key"),
            (|next| next.rules.access_ceiling_seconds += 1, "longest access"),
            (|next| next.rules.decision_deadline_seconds += 1, "time for a decision"),
            (|next| next.rules.required_approvals -= 1, "required approvals"),
            (|next| next.rules.software_keys = true, "software keys"),
            (|next| next.break_glass.push(policy(3)), "night is added"),
            (|next| next.rules.witnesses_required -= 1, "cosignatures"),
            (|next| next.notification_recipients.clear(), "no longer notified"),
            (
                |next| {
                    let (person, delegate) = (next.approvers[0].person, next.approvers[1].person);
                    next.delegations.push(Delegation { person, delegate, until: "2027-01-01T00:00:00Z".into() });
                },
                "dana decides for alex",
            ),
        ];
        base.notification_recipients = vec!["security@contoso.example".into()];
        for (edit, sentence) in weakening {
            let mut after = base.clone();
            let before = {
                let mut before = base.clone();
                before.rules.required_approvals = 2;
                before.rules.witnesses_required = 1;
                before
            };
            after.rules.clone_from(&before.rules);
            edit(&mut after);
            let found = changes(&before, &after);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].effect, Effect::Weakens, "{found:?}");
            assert!(found[0].sentence.contains(sentence), "{found:?}");
            let back = changes(&after, &before);
            assert_eq!((back.len(), back[0].effect), (1, Effect::Strengthens), "{back:?}");
        }
    }

    #[test]
    fn an_exchange_weakens_in_both_directions() {
        let alex = Device::new();
        let base = founding(&[&alex]);
        let edits: [Edit; 4] = [
            |next| next.approvers[0].email = "alex@evil.example".into(),
            |next| next.portal.origin = "https://evil.example".into(),
            |next| next.rules.witnesses = vec![Witness { name: "w".into(), key: "w+1+k".into() }],
            |next| {
                next.identity_provider =
                    Some(crate::IdentityProvider { issuer: "https://idp.example".into(), client_id: "lockbox".into() });
            },
        ];
        for edit in edits {
            let mut after = base.clone();
            edit(&mut after);
            for (before, after) in [(&base, &after), (&after, &base)] {
                assert_eq!(changes(before, after)[0].effect, Effect::Weakens);
            }
        }
        let (mut before, mut after) = (base.clone(), base.clone());
        before.break_glass = vec![policy(3)];
        after.break_glass = vec![policy(4)];
        assert_eq!(changes(&before, &after)[0].effect, Effect::Weakens);
        assert_eq!(changes(&after, &before)[0].effect, Effect::Strengthens);
        assert_eq!(changes(&base, &base), []);
    }
}
