//! Generated sample logs for tests and benchmarks. Their requests follow the lifecycle rules.

use std::collections::BTreeMap;
use std::io::Cursor;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tlog::{Checkpoint, Frontier, Hash, Kind, Note, Signer, leaf_hash};
use uuid::Uuid;

use consent::{AuthorityFile, Pin};

use crate::bundle::{Bundler, Manifest, Trust};
use crate::{ConsentTrust, Entry, tar};

pub mod authorities;
pub mod devices;
mod lifecycles;

use authorities::{Authority, Change, POLICY_NAME, seed as derived};
use lifecycles::Lifecycle;

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
    /// The authority of the tenant, in logs of founded tenants that can grow.
    pub authority: Option<Authority>,
    /// The authority of the vendor, in logs of founded tenants that can grow.
    pub vendor: Option<Authority>,
    /// What somebody who knows the authority keeps.
    pub kept: Kept,
    /// Whether the same seed creates the same log byte for byte. Signatures of `ES256` are random.
    is_repeatable: bool,
    seed: [u8; 32],
    streams: BTreeMap<String, (u64, Hash)>,
    frontier: Frontier,
    policy: Option<Policy>,
    now: DateTime<Utc>,
    state: u64,
}

/// What somebody keeps to verify the log, outside the reach of the log operator.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The authority of the tenant.
    pub authority: Option<AuthorityFile>,
    /// The authority of the vendor.
    pub vendor: Option<AuthorityFile>,
    /// Whether only the fingerprint is kept.
    pub only_fingerprint: bool,
}

/// A break-glass policy of a tenant without authority.
struct Policy {
    id: String,
    digest: String,
    until: DateTime<Utc>,
    left: u32,
}

impl SampleLog {
    /// Creates the log of a founded tenant.
    pub fn new(tenant: &str, seed: u64) -> Self {
        Self::unfounded(tenant, seed).founded(seed, false)
    }

    /// Creates the log of a founded tenant whose keys are such that the same seed creates the same bytes.
    pub fn repeatable(tenant: &str, seed: u64) -> Self {
        Self::unfounded(tenant, seed).founded(seed, true)
    }

    /// Creates the log of a tenant without an authority. The same seed creates the same log.
    ///
    /// # Panics
    /// Never: the name of the key is always valid.
    #[allow(clippy::expect_used, reason = "the name is built here and is valid")]
    pub fn unfounded(tenant: &str, seed: u64) -> Self {
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
            authority: None,
            vendor: None,
            kept: Kept::default(),
            is_repeatable: true,
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

    /// Founds the tenant. One in four tenants had requests before.
    fn founded(mut self, number: u64, is_repeatable: bool) -> Self {
        self.is_repeatable = is_repeatable;
        if number % 4 == 3 {
            self.add_request();
        }
        let tenant = self.origin.rsplit('/').next().unwrap_or_default().to_owned();
        self.advance_clock(60);
        let (authority, data) = Authority::of_tenant(&tenant, &self.seed, number, is_repeatable, self.now);
        self.event("authority.changed", None, None, &data);
        self.authority = Some(authority);
        if number.is_multiple_of(2) {
            self.vendor = Some(Authority::of_vendor(&self.seed, is_repeatable, self.now));
        }
        self.kept.only_fingerprint = number % 5 == 4;
        self.keep();
        self.advance_clock(60);
        self
    }

    /// Keeps the authorities as they are now.
    fn keep(&mut self) {
        self.kept.authority = self.authority.as_ref().map(|authority| authority.file.clone());
        self.kept.vendor = self.vendor.as_ref().map(|vendor| vendor.file.clone());
    }

    /// What somebody trusts who has the log key and keeps the authority.
    pub fn trust(&self) -> Trust {
        let authority = self.kept.authority.clone().map(Pin::File);
        let authority = match authority {
            Some(pin) if self.kept.only_fingerprint => Some(Pin::Fingerprint(pin.founding_hash())),
            other => other,
        };
        let consent = ConsentTrust { authority, vendor: self.kept.vendor.clone(), ..ConsentTrust::default() };
        Trust { keys: vec![self.signer.verifier().clone()], consent, ..Trust::default() }
    }

    /// Changes the authority of a founded tenant. After some changes, a day passes.
    pub fn change_authority(&mut self, what: Change) {
        self.advance_clock(60);
        let (number, key, now) = (self.draw(), self.seed, self.now);
        let Some(authority) = &mut self.authority else { return };
        let data = authority.change(what, number, &key, now);
        self.event("authority.changed", None, None, &data);
        self.keep();
        if number.is_multiple_of(2) && what != Change::Withdraw {
            self.now += TimeDelta::hours(25);
        }
        self.advance_clock(60);
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

    /// Seed of the keys.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Adds requests until the log has at least this many entries, and some heartbeats and checkpoints.
    pub fn grow(&mut self, entries: u64) {
        while self.size() < entries {
            let first = self.size();
            if self.authority.is_some() && self.draw().is_multiple_of(9) {
                let change = Change::ALL[usize::try_from(self.draw() % 8).unwrap_or_default()];
                self.change_authority(change);
            }
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
        let mut lifecycle = Lifecycle::new(self, id);
        if is_break_glass { lifecycle.break_glass() } else { lifecycle.standard() }
    }

    /// Returns the id and the digest of a policy that is in force. Without an authority, creates one when there is none.
    fn policy(&mut self) -> (String, String) {
        let until = self.now + TimeDelta::days(30);
        if let Some(authority) = &self.authority {
            let policies = &authority.in_force(self.now).break_glass;
            let of = |policy: &consent::BreakGlassRule| {
                (policy.policy.to_string(), crate::consent_rules::policy_digest(policy))
            };
            return policies.first().map(of).unwrap_or_default();
        }
        match &mut self.policy {
            Some(policy) if policy.left > 0 && self.now + TimeDelta::days(1) < policy.until => {
                policy.left -= 1;
                (policy.id.clone(), policy.digest.clone())
            }
            _ => {
                let id = self.id().to_string();
                let document = json!({
                    "v": 1, "policy": id, "tenant": Uuid::from_u128(100).to_string(), "name": POLICY_NAME,
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
                self.policy = Some(Policy { id: id.clone(), digest: digest.clone(), until, left: 2 });
                (id, digest)
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

    /// Signs a checkpoint with this size and root, with the cosignatures of the witnesses of a founded tenant.
    pub fn sign(&self, size: u64, root: Hash) -> Note {
        let text = Checkpoint { origin: self.origin.clone(), size, root }.to_string();
        let mut signatures = vec![self.signer.sign(&text, 0)];
        if self.kept.authority.is_some() {
            let seconds = u64::try_from(self.now.timestamp()).unwrap_or_default();
            signatures.extend(witnesses(&self.seed).iter().map(|witness| witness.sign(&text, seconds)));
        }
        Note { signatures, text }
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
            authority: None,
            vendor: None,
            kept: self.kept.clone(),
            is_repeatable: self.is_repeatable,
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
        let mut keys = vec![self.signer.verifier().to_string()];
        if self.kept.authority.is_some() {
            keys.extend(witnesses(&self.seed).iter().map(|witness| witness.verifier().to_string()));
        }
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

/// The witnesses of a founded tenant's log.
///
/// # Panics
/// Never: the names of the keys are valid.
#[allow(clippy::expect_used, reason = "the names are valid")]
pub fn witnesses(seed: &[u8; 32]) -> [Signer; 2] {
    ["witness.contoso.example", "witness.adatum.example"]
        .map(|name| Signer::from_seed(name, Kind::Witness, &derived(seed, name)).expect("a valid name"))
}
