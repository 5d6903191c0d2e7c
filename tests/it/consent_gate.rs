//! The gate and the role `access` open only what they have verified themselves. Here somebody has the database as a superuser,
//! and the workers of the deployment: rows are forged, and nothing opens.

use consent::Pin;
use contracts::Kind;
use domain::Verdict::Approve;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};
use tlog::{Checkpoint, Hash, Kind as KeyKind, Note, Signer, Verifier};
use uuid::Uuid;
use workers::RoleName;
use workers::trust::{TrustSettings, add};

use crate::founded::{Founded, found};
use crate::gate::{Gate, access_token};
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::scripted::Scripted;

/// Contoso is founded, and a gate and a target are there, with a trust folder that is empty.
struct Contoso {
    lockbox: Lockbox,
    target: Scripted,
    gate: Gate,
    founded: Founded,
    folder: tempfile::TempDir,
}

impl Contoso {
    async fn open(edit: impl Fn(&mut consent::Statement)) -> Self {
        let mut lockbox = Lockbox::without_roles().await;
        let folder = tempfile::tempdir().unwrap();
        lockbox.settings.trust = TrustSettings { folder: folder.path().to_owned(), is_required: false };
        let roles: Vec<RoleName> = ROLES.into_iter().filter(|role| *role != RoleName::Access).collect();
        lockbox.start(&roles).await;
        let target = Scripted::default();
        lockbox.keep_provisionings(vec![target.built("exchange_online")]).await;
        let founded = found(&lockbox, "contoso", &["alex", "kim"], edit).await;
        let gate = Gate::open(&lockbox).await;
        Self { lockbox, target, gate, founded, folder }
    }

    /// Adds what the customer gave to the trust folder: the fingerprint and the key of the log.
    async fn trust(&self) {
        let authority = self.lockbox.store.authority("contoso").await.unwrap().unwrap();
        let fingerprint = consent::fingerprint(authority.chain.founding());
        let keys: Vec<Verifier> = eventually("the log has a key", async || {
            let keys = self.lockbox.store.log_keys(Some("contoso")).await.unwrap();
            (!keys.is_empty()).then(|| keys.iter().map(|key| key.parse().unwrap()).collect())
        })
        .await;
        let pin = add(self.folder.path(), "contoso", Some(&fingerprint), &keys).unwrap();
        assert!(matches!(pin, Pin::Fingerprint(_)));
    }

    async fn reviewed(&self) -> Uuid {
        let request = self.lockbox.submit(&submission()).await;
        self.lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
        self.lockbox.until(request, "pending_customer").await;
        request
    }

    /// A request with the signed approval of Alex.
    async fn granted(&self) -> Uuid {
        let request = self.reviewed().await;
        let approval = self.lockbox.decision(request, "alex", Approve).await;
        let signed = self.founded.signed_decision(&self.lockbox, approval).await;
        self.lockbox.outcome(Kind::CustomerDecide, &signed).await;
        self.lockbox.until(request, "active").await;
        request
    }

    /// Runs statements past every trigger.
    async fn forge(&self, statements: &str) {
        let mut connection = self.lockbox.pool.acquire().await.unwrap();
        connection.execute("set session_replication_role = replica").await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await.unwrap();
        connection.execute("set session_replication_role = origin").await.unwrap();
    }

    async fn ask(&self, token: &str) -> reqwest::Response {
        let check = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online",
                           "resource": "finance@contoso.example", "person": "robin"});
        let asking = self.gate.client.post(format!("http://{}/v1/check", self.gate.address)).body(check.to_string());
        asking.send().await.unwrap()
    }

    async fn opens(&self, token: &str) {
        eventually("the gate has verified the grant", async || {
            let response = self.ask(token).await;
            (response.status() == StatusCode::NO_CONTENT && header(&response, "x-lockbox-consent") == "verified")
                .then_some(())
        })
        .await;
    }

    /// Waits until the gate refuses with this code, and the reason has these words.
    async fn refuses(&self, token: &str, code: &str, words: &str) {
        let mut last = Value::Null;
        let what = format!("the gate refuses with {code}: {words}");
        eventually(&what, async || {
            let response = self.ask(token).await;
            assert_ne!(response.status(), StatusCode::NO_CONTENT, "{what}");
            last = json!([header(&response, "x-lockbox-code"), header(&response, "x-lockbox-reason")]);
            (last[0] == code && last[1].as_str().unwrap().contains(words)).then_some(())
        })
        .await;
        assert_eq!(self.open_status(token).await, StatusCode::FORBIDDEN, "the read-back of connectors");
    }

    /// The status that connectors read for the grant of this token.
    async fn open_status(&self, token: &str) -> StatusCode {
        const REQUEST: &str = "select request from access_tokens where token_hash = sha256(convert_to($1, 'UTF8'))";
        let request: Uuid = sqlx::query_scalar(REQUEST).bind(token).fetch_one(&self.lockbox.pool).await.unwrap();
        let url = format!("http://{}/v1/open/{request}", self.gate.address);
        self.gate.client.get(url).send().await.unwrap().status()
    }

    /// Waits until the role `access` has refused to provision a grant.
    async fn stays_closed(&self, request: Uuid, code: &str) {
        eventually(&format!("the role access refuses with {code}"), async || {
            assert!(self.target.open_for(request).is_none(), "the target was opened");
            let seen: Option<String> = sqlx::query_scalar("select last_error from provisionings where request = $1")
                .bind(request)
                .fetch_one(&self.lockbox.pool)
                .await
                .unwrap();
            seen.filter(|seen| seen.contains(code))
        })
        .await;
        assert_eq!(self.target.calls("open", request), 0);
    }

    async fn finish(self) {
        self.gate.close().await;
        self.lockbox.finish().await;
    }
}

fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_access_of_a_founded_tenant_opens_within_seconds_once_its_authority_is_trusted() {
    let contoso = Contoso::open(|_| {}).await;
    let request = contoso.granted().await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_not_trusted", "lockbox trust add contoso").await;
    contoso.stays_closed(request, "consent_not_trusted").await;
    let failed = contoso.lockbox.event(request, "grant.provisioning_failed").await;
    assert!(failed["error"].as_str().unwrap().starts_with("consent_not_trusted: "), "{failed}");
    contoso.trust().await;
    contoso.opens(&token).await;
    assert_eq!(contoso.open_status(&token).await, StatusCode::NO_CONTENT);
    contoso.lockbox.until_provisioning(request, "active").await;
    assert!(contoso.target.open_for(request).is_some());
    // The next one opens without a failed attempt, though the log needs a moment.
    let next = contoso.granted().await;
    contoso.lockbox.until_provisioning(next, "active").await;
    let steps = contoso.lockbox.steps(next).await;
    assert!(!steps.iter().any(|step| step == "grant.provisioning_failed"), "{steps:?}");
    contoso.opens(&access_token(&contoso.lockbox, next).await).await;
    contoso.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_grant_without_steps_in_the_log_open_nothing() {
    let contoso = Contoso::open(|_| {}).await;
    contoso.trust().await;
    let request = contoso.reviewed().await;
    contoso
        .forge(&format!(
            "update requests set state = 'active', access_from = clock_timestamp(), \
             access_until = clock_timestamp() + interval '1 hour' where id = '{request}'; \
             insert into provisionings (request, state, until_at, next_try_at) \
             select id, 'provisioning', access_until, clock_timestamp() from requests where id = '{request}' \
             on conflict do nothing"
        ))
        .await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_pending", "not in the signed log yet").await;
    contoso.stays_closed(request, "consent_pending").await;
    contoso.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_nobody_signed_opens_nothing_though_the_vendors_own_log_records_it() {
    let contoso = Contoso::open(|_| {}).await;
    contoso.trust().await;
    let honest = contoso.granted().await;
    contoso.opens(&access_token(&contoso.lockbox, honest).await).await;
    // Without the authority, the workers accept a decision of anybody as Alex.
    contoso.forge("delete from authorities").await;
    let request = contoso.reviewed().await;
    contoso.lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
    contoso.lockbox.until(request, "active").await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_unverified", "the decision of alex is not proved").await;
    contoso.stays_closed(request, "consent_unverified").await;
    // The operator founds the tenant again, with devices of its own.
    let forged = found(&contoso.lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let request = contoso.reviewed().await;
    let approval = contoso.lockbox.decision(request, "alex", Approve).await;
    let signed = forged.signed_decision(&contoso.lockbox, approval).await;
    contoso.lockbox.outcome(Kind::CustomerDecide, &signed).await;
    contoso.lockbox.until(request, "active").await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_unverified", "authority of contoso").await;
    contoso.stays_closed(request, "consent_unverified").await;
    contoso.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_says_more_than_the_log_and_a_log_with_another_key_open_nothing() {
    let contoso = Contoso::open(|_| {}).await;
    contoso.trust().await;
    let request = contoso.granted().await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.opens(&token).await;
    let end = contoso.lockbox.view(request).await.access_until.unwrap();
    contoso
        .forge(&format!("update requests set access_until = access_until + interval '9 hours' where id = '{request}'"))
        .await;
    let response = contoso.ask(&token).await;
    assert_eq!(header(&response, "x-lockbox-until"), runtime::output::time(end), "the end in the log counts");
    crate::gate::make_writable(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_unverified", "another access level").await;
    let other = contoso.granted().await;
    let token = access_token(&contoso.lockbox, other).await;
    contoso.opens(&token).await;
    contoso
        .forge(&format!(
            "update requests set requester = (select id from people where name = 'sam') where id = '{other}'; \
             update access_tokens set person = (select id from people where name = 'sam') where request = '{other}'"
        ))
        .await;
    let check = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online",
                       "resource": "finance@contoso.example", "person": "sam"});
    let asking = contoso.gate.client.post(format!("http://{}/v1/check", contoso.gate.address)).body(check.to_string());
    let response = asking.send().await.unwrap();
    assert!(header(&response, "x-lockbox-reason").contains("another requester"), "{response:?}");
    // The operator signs the log with a key that nobody trusts.
    let third = contoso.granted().await;
    let token = access_token(&contoso.lockbox, third).await;
    contoso.opens(&token).await;
    contoso.lockbox.until_idle().await;
    let fresh = Gate::open(&contoso.lockbox).await;
    let latest = contoso.lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().unwrap();
    let text = latest.note.parse::<Note>().unwrap().text;
    let origin = text.parse::<Checkpoint>().unwrap().origin;
    let operator = Signer::from_seed(&origin, KeyKind::Log, &[66; 32]).unwrap();
    let forged = Note { signatures: vec![operator.sign(&text, 0)], text: text.clone() };
    let larger = Checkpoint { size: text.parse::<Checkpoint>().unwrap().size + 1_000_000, origin, root: Hash([0; 32]) };
    let ahead = Note { signatures: vec![operator.sign(&larger.to_string(), 0)], text: larger.to_string() };
    contoso
        .forge(&format!(
            "update audit_checkpoints set note = '{forged}' where size = {}; \
             insert into audit_checkpoints (log, size, root, note) select id, {}, root, '{ahead}' from audit_logs where tenant = 'contoso'",
            latest.size, larger.size
        ))
        .await;
    let contoso = Contoso { gate: fresh, ..contoso };
    contoso.refuses(&token, "consent_unverified", "no key in the trust folder signed the log").await;
    contoso.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inserted_signatures_of_witnesses_do_not_count_and_those_of_the_authority_do() {
    let witness = Signer::from_seed("witness.contoso.example", KeyKind::Witness, &[5; 32]).unwrap();
    let key = witness.verifier().to_string();
    let contoso = Contoso::open(|statement| {
        statement.rules.witnesses = vec![consent::Witness { name: "witness.contoso.example".into(), key: key.clone() }];
        statement.rules.witnesses_required = 1;
    })
    .await;
    contoso.trust().await;
    // The database asks for no witness any more.
    contoso.forge("update tenants set witnesses_required = null; delete from witnesses").await;
    let request = contoso.granted().await;
    let token = access_token(&contoso.lockbox, request).await;
    contoso.refuses(&token, "consent_pending", "0 of 1 required witnesses").await;
    contoso.stays_closed(request, "consent_pending").await;
    let operator = Signer::from_seed("witness.contoso.example", KeyKind::Witness, &[6; 32]).unwrap();
    let cosign = async |signer: &Signer| {
        contoso.lockbox.until_idle().await;
        let latest = contoso.lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().unwrap();
        let text = latest.note.parse::<Note>().unwrap().text;
        let note = Note { signatures: vec![signer.sign(&text, 1_800_000_000)], text }.to_string();
        let line = note.lines().last().unwrap().to_owned();
        contoso
            .forge(&format!(
                "delete from audit_cosignatures; insert into audit_cosignatures (log, size, witness, line) \
                 select id, {}, 'witness.contoso.example', '{line}' from audit_logs where tenant = 'contoso'",
                latest.size
            ))
            .await;
    };
    cosign(&operator).await;
    contoso.refuses(&token, "consent_pending", "0 of 1 required witnesses").await;
    cosign(&witness).await;
    contoso.opens(&token).await;
    contoso.lockbox.until_provisioning(request, "active").await;
    contoso.finish().await;
}
