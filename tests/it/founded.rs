//! A founded tenant, whose approvers sign with devices in software.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use consent::testing::{Device, founding};
use consent::{Approver, Decision, SignedDecision, SignedStatement, Statement, time_text};
use contracts::commands::Decide;
use domain::{Person, Verdict};
use store::authority::{Recorded, SignedChange};
use store::settings::By;

use crate::harness::Lockbox;

/// The devices of the approvers of a tenant, by short name.
pub struct Founded {
    pub tenant: String,
    pub devices: BTreeMap<String, Device>,
}

/// Founds a tenant: every named person of the directory is an approver with one passkey.
pub async fn found(lockbox: &Lockbox, tenant: &str, names: &[&str], edit: impl Fn(&mut Statement)) -> Founded {
    let store = &lockbox.store;
    let mut devices = BTreeMap::new();
    let mut statement = founding(&[&Device::new()]);
    tenant.clone_into(&mut statement.tenant);
    statement.approvers.clear();
    for name in names {
        let person = person(lockbox, name).await;
        let device = Device::new();
        let (name, email) = (person.name, person.email);
        let (services, keys) = (Vec::new(), vec![device.key.clone()]);
        statement.approvers.push(Approver { person: person.id.0, name: name.clone(), email, services, keys });
        devices.insert(name, device);
    }
    statement.change_signatures = names.len().min(2);
    statement.effective_at = time_text(store.clock().await.unwrap());
    edit(&mut statement);
    let founder = person(lockbox, names[0]).await;
    let named = (founder.name.as_str(), founder.display_name.as_str(), founder.email.as_str());
    let invitation = store.invite_founder(tenant, named, "lee").await.unwrap();
    let founded = Founded { tenant: tenant.to_owned(), devices };
    let signed = founded.signed(&statement, names);
    let secrets = (invitation.link.as_str(), invitation.code.as_str());
    store.record_founding(secrets, &signed, "portal/invitation").await.unwrap().unwrap();
    founded
}

/// The row of a person.
pub async fn person(lockbox: &Lockbox, name: &str) -> Person {
    let people = lockbox.store.enabled_people().await.unwrap();
    people.into_iter().find(|person| person.name == name).unwrap()
}

/// What a person signs for a decision, with a new nonce. The command gets the salt of its comment.
pub async fn to_sign(lockbox: &Lockbox, decide: &mut Decide, (tenant, authority_version): (&str, u64)) -> Decision {
    let by = person(lockbox, &decide.by).await;
    let nonce = lockbox.store.issue_nonce(by.id.0, decide.request).await.unwrap();
    let request = lockbox.store.request(decide.request).await.unwrap().unwrap();
    let content = request.content;
    let salt = contracts::words::salt();
    decide.comment_salt = Some(salt);
    let approved = decide.duration_seconds.unwrap_or(content.duration_seconds);
    Decision {
        tenant: tenant.to_owned(),
        authority_version,
        request: decide.request,
        digest: request.digest.to_string(),
        verdict: decide.verdict.as_str().to_owned(),
        person: by.id.0,
        duration_seconds: if decide.verdict == Verdict::Approve { approved } else { 0 },
        service: content.service,
        resource: content.resource,
        access_level: content.access_level.as_str().to_owned(),
        comment: decide.comment.as_ref().map(|comment| hex::encode(domain::commitment(&salt, comment.as_str()))),
        nonce: nonce.nonce,
        not_after: time_text(nonce.not_after),
    }
}

impl Founded {
    /// A decision that this person signs with their device.
    pub async fn signed_decision(&self, lockbox: &Lockbox, mut decide: Decide) -> Decide {
        let statement = lockbox.store.statement_in_force(&self.tenant).await.unwrap().unwrap();
        let decision = to_sign(lockbox, &mut decide, (&self.tenant, statement.version)).await;
        let assertion = self.devices[&decide.by].sign_at(&statement.portal, &decision.challenge());
        Decide { signature: Some(SignedDecision { decision, assertion }), ..decide }
    }

    /// The statement with the signatures of these approvers.
    pub fn signed(&self, statement: &Statement, names: &[&str]) -> SignedStatement {
        let challenge = statement.challenge();
        let sign = |name: &&str| self.devices[*name].sign_at(&statement.portal, &challenge);
        SignedStatement { statement: statement.clone(), signatures: names.iter().map(sign).collect() }
    }

    /// The statement that follows the last one, with a change.
    pub async fn next(&self, lockbox: &Lockbox, edit: impl FnOnce(&mut Statement)) -> Statement {
        let authority = lockbox.store.authority(&self.tenant).await.unwrap().unwrap();
        let now: DateTime<Utc> = lockbox.store.clock().await.unwrap();
        let mut next = authority.chain.in_force(now).clone();
        next.version = authority.chain.latest().version + 1;
        next.previous = Some(hex::encode(authority.chain.latest().hash()));
        next.effective_at = time_text(now - TimeDelta::seconds(1));
        edit(&mut next);
        next
    }

    /// Proposes a change and signs it as these people, until it is recorded.
    pub async fn change(&self, lockbox: &Lockbox, names: &[&str], edit: impl FnOnce(&mut Statement)) -> Recorded {
        let statement = self.next(lockbox, edit).await;
        let first = person(lockbox, names[0]).await;
        let by = By { person: &first, channel: "portal/oidc" };
        let id = lockbox.store.propose_change(by, &statement).await.unwrap();
        for name in names {
            let signer = person(lockbox, name).await;
            let by = By { person: &signer, channel: "portal/oidc" };
            let assertion = self.devices[*name].sign_at(&statement.portal, &statement.challenge());
            if let SignedChange::Recorded { statement, .. } =
                lockbox.store.sign_change(by, id, &assertion).await.unwrap()
            {
                return *statement;
            }
        }
        panic!("more signatures are needed");
    }
}
