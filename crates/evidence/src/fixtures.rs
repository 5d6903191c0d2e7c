//! Generated sample logs for tests and benchmarks. Their requests follow the lifecycle rules.

use std::collections::BTreeMap;
use std::io::Cursor;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tlog::{Checkpoint, Frontier, Hash, Kind, Note, Signer, leaf_hash};
use uuid::Uuid;

use crate::Entry;
use crate::bundle::{Bundler, Manifest};
use crate::tar;

/// A log that grows by generated requests.
pub struct SampleLog {
    /// Origin of the log.
    pub origin: String,
    /// Log key.
    pub signer: Signer,
    /// Entries. Callers that do not need earlier entries can remove them while the log grows.
    pub entries: Vec<Vec<u8>>,
    /// Earlier checkpoints: size and signed note.
    pub earlier: Vec<(u64, Note)>,
    /// Free text, one JSON document per line.
    pub texts: String,
    seed: [u8; 32],
    streams: BTreeMap<String, (u64, Hash)>,
    frontier: Frontier,
    policy: Option<Policy>,
    now: DateTime<Utc>,
    state: u64,
}

/// A break-glass policy that is in force.
struct Policy {
    digest: String,
    until: DateTime<Utc>,
    left: u32,
}

/// Name of the generated policies.
const POLICY_NAME: &str = "night watch";

impl SampleLog {
    /// Creates the log of a tenant. The same seed creates the same log.
    ///
    /// # Panics
    /// Never: the name of the key is always valid.
    #[allow(clippy::expect_used, reason = "the name is built here and is valid")]
    pub fn new(tenant: &str, seed: u64) -> Self {
        let origin = format!("lockbox.fabrikam.example/t/{tenant}");
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let signer = Signer::from_seed(&origin, Kind::Log, &key).expect("a valid name");
        let mut log = Self {
            origin,
            signer,
            entries: Vec::new(),
            earlier: Vec::new(),
            texts: String::new(),
            seed: key,
            streams: BTreeMap::new(),
            frontier: Frontier::default(),
            policy: None,
            now: DateTime::UNIX_EPOCH + TimeDelta::days(20_700),
            state: seed,
        };
        let key = log.signer.verifier().to_string();
        log.event("log.key_changed", None, None, &json!({"actor": {"kind": "lockbox"}, "key": key}));
        log
    }

    /// The next pseudo-random number (splitmix64).
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn id(&mut self) -> Uuid {
        let (high, low) = (self.draw(), self.draw());
        Uuid::from_u64_pair((high & !0xF000) | 0x7000, (low & !(3 << 62)) | (1 << 63))
    }

    /// Appends an event.
    pub fn event(&mut self, kind: &str, request: Option<&str>, version: Option<u64>, data: &Value) -> Uuid {
        let id = self.id();
        let tenant = self.origin.rsplit('/').next().unwrap_or_default().to_owned();
        let mut event = json!({
            "specversion": "1.0", "id": id.to_string(), "source": "/lockbox", "type": format!("lockbox.{kind}.v1"),
            "time": self.now.to_rfc3339_opts(SecondsFormat::Micros, true), "datacontenttype": "application/json",
            "tenant": tenant, "data": data,
        });
        if let Some(request) = request {
            event["correlationid"] = request.into();
            event["subject"] = format!("requests/{request}").into();
        }
        if let Some(version) = version {
            event["subjectversion"] = version.into();
        }
        self.append(event.to_string().as_bytes(), request.unwrap_or_default());
        id
    }

    fn append(&mut self, event: &[u8], stream: &str) {
        let (seq, prev) = self.streams.get(stream).copied().unwrap_or((0, Hash([0; 32])));
        let entry = Entry { event, log: &self.origin, prev, seq: seq + 1, v: 1 }.to_bytes();
        let leaf = leaf_hash(&entry);
        self.frontier.push(leaf);
        self.streams.insert(stream.to_owned(), (seq + 1, leaf));
        self.entries.push(entry);
    }

    fn advance_clock(&mut self, at_most_seconds: u64) {
        let micros = 1 + self.draw() % (at_most_seconds * 1_000_000);
        self.now += TimeDelta::microseconds(i64::try_from(micros).unwrap_or_default());
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Adds requests until the log has at least this many entries, and some heartbeats and checkpoints.
    pub fn grow(&mut self, entries: u64) {
        while self.size() < entries {
            let first = self.size();
            self.add_request();
            if self.draw().is_multiple_of(8) {
                let data = json!({"actor": {"kind": "lockbox"}, "log": self.origin, "size": first});
                self.event("log.heartbeat", None, None, &data);
            }
            if self.draw().is_multiple_of(16) {
                let note = self.checkpoint();
                self.earlier.push((self.size(), note));
            }
        }
    }

    /// Adds one request with a random ending.
    fn add_request(&mut self) {
        let id = self.id().to_string();
        let is_break_glass = self.draw().is_multiple_of(12);
        let mut lifecycle = Lifecycle { log: self, id, state: None, version: 0, break_glass: None };
        if is_break_glass { lifecycle.break_glass() } else { lifecycle.standard() }
    }

    /// Returns the digest of a policy that is in force. Creates one when there is none.
    fn policy(&mut self) -> String {
        let until = self.now + TimeDelta::days(30);
        match &mut self.policy {
            Some(policy) if policy.left > 0 && self.now + TimeDelta::days(1) < policy.until => {
                policy.left -= 1;
                policy.digest.clone()
            }
            _ => {
                let document = json!({
                    "v": 1, "policy": self.id().to_string(), "tenant": Uuid::from_u128(100).to_string(), "name": POLICY_NAME,
                    "services": ["exchange_online"], "ceiling_seconds": 900, "quota": 3,
                    "until": until.to_rfc3339_opts(SecondsFormat::Micros, true),
                });
                let digest = hex::encode(Hash::of(document.to_string().as_bytes()).0);
                let changes = ["break-glass policy night watch created"];
                self.event(
                    "directory.changed",
                    None,
                    None,
                    &json!({"actor": alex(), "changes": changes, "break_glass_policy": document}),
                );
                self.policy = Some(Policy { digest: digest.clone(), until, left: 2 });
                digest
            }
        }
    }

    /// Revokes the policy sometimes, before its quota is used up.
    fn may_revoke_policy(&mut self) {
        if self.draw().is_multiple_of(3)
            && let Some(policy) = self.policy.take()
        {
            let changes = ["break-glass policy night watch revoked"];
            let data = json!({"actor": alex(), "changes": changes, "break_glass_policy_ended": policy.digest});
            self.event("directory.changed", None, None, &data);
        }
    }

    /// Rebuilds the tree after a test changed the entries.
    pub fn rebuild_tree(&mut self) {
        self.frontier = Frontier::default();
        for entry in &self.entries {
            self.frontier.push(leaf_hash(entry));
        }
    }

    /// Signs a checkpoint of the current log.
    pub fn checkpoint(&self) -> Note {
        self.sign(self.frontier.size(), self.frontier.root())
    }

    /// Signs a checkpoint with this size and root.
    pub fn sign(&self, size: u64, root: Hash) -> Note {
        let text = Checkpoint { origin: self.origin.clone(), size, root }.to_string();
        Note { signatures: vec![self.signer.sign(&text, 0)], text }
    }

    /// The events of the log as documents.
    pub fn events(&self) -> Vec<Value> {
        let event = |entry: &Vec<u8>| Entry::read(entry).and_then(|entry| serde_json::from_slice(entry.event).ok());
        self.entries.iter().filter_map(event).collect()
    }

    /// Builds the log that the log operator would have written with these events, with new hashes and signatures.
    ///
    /// # Errors
    /// When the key cannot be created.
    pub fn with_events(&self, events: &[Value]) -> Result<Self, tlog::Error> {
        let mut log = Self {
            origin: self.origin.clone(),
            signer: Signer::from_seed(&self.origin, Kind::Log, &self.seed)?,
            entries: Vec::new(),
            earlier: Vec::new(),
            texts: self.texts.clone(),
            seed: self.seed,
            streams: BTreeMap::new(),
            frontier: Frontier::default(),
            policy: None,
            now: self.now,
            state: self.state,
        };
        for event in events {
            log.append(event.to_string().as_bytes(), event["correlationid"].as_str().unwrap_or_default());
            if self.earlier.iter().any(|(size, _)| *size == log.size()) {
                log.earlier.push((log.size(), log.checkpoint()));
            }
        }
        let ids: Vec<&str> = events.iter().filter_map(|event| event["id"].as_str()).collect();
        let has_event = |line: &&str| ids.iter().any(|id| line.contains(id));
        log.texts = self.texts.lines().filter(has_event).map(|line| format!("{line}\n")).collect();
        Ok(log)
    }

    /// Writes the bundle of the whole log.
    ///
    /// # Errors
    /// When writing fails.
    pub fn bundle<W: std::io::Write>(&self, into: W) -> std::io::Result<W> {
        self.bundle_signed(into, self.checkpoint(), &self.earlier)
    }

    /// Writes the bundle of the whole log with these checkpoints, which a test may take from another log.
    ///
    /// # Errors
    /// When writing fails.
    pub fn bundle_signed<W: std::io::Write>(&self, into: W, note: Note, earlier: &[(u64, Note)]) -> std::io::Result<W> {
        let spools = [(); 3].map(|()| Cursor::new(Vec::new()));
        let (size, origin) = (self.entries.len() as u64, self.origin.clone());
        let manifest = Manifest { origin, size, first: 0, end: size, since: None, until: None, made_at: self.now };
        let keys = [self.signer.verifier().to_string()];
        let mut bundler = Bundler::begin(into, spools, manifest, note, &keys)?;
        for (size, note) in earlier {
            bundler.earlier(*size, &note.to_string())?;
        }
        bundler.texts(&self.texts)?;
        for entry in &self.entries {
            bundler.leaf(leaf_hash(entry), Some(entry))?;
        }
        bundler.finish()
    }

    /// Returns the files of the bundle.
    ///
    /// # Errors
    /// When writing fails.
    pub fn files(&self) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
        Ok(unpack(&self.bundle(Vec::new())?))
    }
}

/// Extracts the files of an archive in memory.
#[allow(clippy::cast_possible_truncation, reason = "the archive is in memory")]
pub fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let (members, _) = tar::list(archive);
    let bytes = |place: &tar::Member| archive[place.offset as usize..(place.offset + place.size) as usize].to_vec();
    members.iter().map(|place| (place.name.clone(), bytes(place))).collect()
}

/// Creates an archive of these files.
///
/// # Errors
/// When writing fails.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut writer = tar::Writer::new(Vec::new());
    for (name, bytes) in files {
        writer.file(name, bytes.len() as u64, bytes.as_slice())?;
    }
    writer.finish()
}

/// The approver who creates and revokes policies.
fn alex() -> Value {
    actor((3, "alex", "customer"))
}

fn actor((number, name, side): (u128, &str, &str)) -> Value {
    json!({"kind": "person", "id": Uuid::from_u128(number).to_string(), "name": name, "display_name": name, "side": side})
}

struct Lifecycle<'a> {
    log: &'a mut SampleLog,
    id: String,
    state: Option<&'static str>,
    version: u64,
    /// Digest of the break-glass policy, for a break-glass request.
    break_glass: Option<String>,
}

impl Lifecycle<'_> {
    fn step(&mut self, kind: &str, to: &'static str, who: Option<(u128, &str, &str)>, more: Value) {
        let digest = hex::encode(Hash::of(self.id.as_bytes()).0);
        let actor = who.map_or_else(|| json!({"kind": "lockbox"}), actor);
        let mut data = json!({
            "request": self.id, "service_request": "SR-2026-004711", "service": "exchange_online", "requester": "robin",
            "to": to, "digest": digest, "actor": actor,
        });
        if let Some(from) = self.state {
            data["from"] = from.into();
        }
        if let Some(digest) = &self.break_glass {
            data["break_glass"] = POLICY_NAME.into();
            data["break_glass_digest"] = digest.as_str().into();
        }
        let mut committed = None;
        if let Value::Object(more) = more {
            for (name, value) in more {
                if let Some(text) = value.as_str().filter(|_| name == "comment" || name == "justification") {
                    let salt = Hash::of(&self.log.draw().to_le_bytes()).0;
                    let commitment = Hash::of(&[salt.as_slice(), text.as_bytes()].concat());
                    data[&name] = json!({"committed": hex::encode(commitment.0)});
                    committed = Some((name, hex::encode(salt), text.to_owned()));
                } else {
                    data[&name] = value;
                }
            }
        }
        self.version += 1;
        let id = self.id.clone();
        let event = self.log.event(kind, Some(&id), Some(self.version), &data);
        if let Some((field, salt, text)) = committed {
            let line = json!({"event": event.to_string(), "field": field, "salt": salt, "text": text});
            self.log.texts += &format!("{line}\n");
        }
        self.state = Some(to);
    }

    fn standard(&mut self) {
        let (robin, morgan) = ((1, "robin", "vendor"), (2, "morgan", "vendor"));
        let (alex, dana) = ((3, "alex", "customer"), (4, "dana", "customer"));
        self.log.advance_clock(60);
        let review_deadline = self.log.now + TimeDelta::hours(24);
        let required = 1 + self.log.draw() % 2;
        self.step(
            "request.submitted",
            "pending_vendor",
            Some(robin),
            json!({"resource": "finance@contoso.example", "category": "customer_reported", "severity": "normal",
                   "justification": "outgoing mail is stuck, \"again\"", "duration_seconds": 3600, "review_deadline": review_deadline,
                   "required_approvals": required}),
        );
        self.log.advance_clock(600);
        match self.log.draw() % 10 {
            0 => {
                return self.step("request.vendor_denied", "vendor_denied", Some(morgan), json!({"comment": "=no"}));
            }
            1 => return self.step("request.withdrawn", "withdrawn", Some(robin), json!({"cause": "requester"})),
            2 => return self.step("request.withdrawn", "withdrawn", None, json!({"cause": "requester_disabled"})),
            _ => {}
        }
        let decision_deadline = self.log.now + TimeDelta::hours(12);
        self.step(
            "request.vendor_approved",
            "pending_customer",
            Some(morgan),
            json!({"decision_deadline": decision_deadline}),
        );
        self.log.advance_clock(600);
        match self.log.draw() % 8 {
            0 => {
                return self.step("request.customer_denied", "customer_denied", Some(alex), json!({"comment": "nö"}));
            }
            1 => {
                self.log.now = decision_deadline;
                let more = json!({"stage": "customer", "deadline": decision_deadline});
                return self.step("request.expired", "expired", None, more);
            }
            2 => self.step("request.commented", "pending_customer", Some(alex), json!({"comment": "why all of it?"})),
            _ => {}
        }
        for (count, who) in (1..=required).zip([alex, dana]) {
            let more = json!({"approvals": count, "required_approvals": required, "duration_seconds": 1800 * count});
            self.step("request.customer_approved", "pending_customer", Some(who), more);
        }
        self.access(1800);
    }

    /// A break-glass request: two managers approve under an existing policy.
    fn break_glass(&mut self) {
        let (robin, morgan, jo) = ((1, "robin", "vendor"), (2, "morgan", "vendor"), (5, "jo", "vendor"));
        self.break_glass = Some(self.log.policy());
        let review_deadline = self.log.now + TimeDelta::hours(24);
        self.step(
            "request.submitted",
            "pending_vendor",
            Some(robin),
            json!({"resource": "finance@contoso.example", "category": "vendor_detected", "severity": "high",
                   "justification": "no user can sign in", "duration_seconds": 900, "review_deadline": review_deadline, "required_approvals": 1}),
        );
        self.step("request.break_glass_supported", "pending_vendor", Some(morgan), json!({}));
        self.log.advance_clock(600);
        if self.log.draw().is_multiple_of(4) {
            let more = json!({"comment": "not tonight"});
            return self.step("request.vendor_denied", "vendor_denied", Some(jo), more);
        }
        self.step("request.break_glass_approved", "pending_vendor", Some(jo), json!({}));
        self.access(900);
        self.step("report.acknowledged", "ended", Some((3, "alex", "customer")), json!({}));
        self.log.may_revoke_policy();
    }

    /// Access with its provisioning, its end and its revocation.
    fn access(&mut self, seconds: i64) {
        let (robin, dana) = ((1, "robin", "vendor"), (4, "dana", "customer"));
        let until = self.log.now + TimeDelta::seconds(seconds);
        self.step("grant.activated", "active", None, json!({"access_from": self.log.now, "access_until": until}));
        self.add_other_event(
            "grant.provisioned",
            json!({"state": "active", "access_until": until, "actor": {"kind": "lockbox"}}),
        );
        let (who, cause) = match self.log.draw() % 4 {
            0 => (Some(dana), "revoked_by_customer"),
            1 => (Some(robin), "released"),
            2 => (None, "requester_disabled"),
            _ => (None, "expired"),
        };
        if cause == "expired" {
            self.log.now = until
        } else {
            self.log.advance_clock(850)
        }
        self.step("grant.ended", "ended", who, json!({"cause": cause, "access_until": until}));
        self.add_other_event(
            "grant.revoked",
            json!({"state": "revoked", "access_until": until, "actor": {"kind": "lockbox"}}),
        );
    }

    /// Adds an event of the request that is not a lifecycle step.
    fn add_other_event(&mut self, kind: &str, mut data: Value) {
        data["request"] = self.id.as_str().into();
        data["service"] = "exchange_online".into();
        self.log.event(kind, Some(&self.id), None, &data);
    }
}
