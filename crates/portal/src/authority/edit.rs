//! What a form changes in a statement. Pure: the page shows the result, and approvers sign it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use consent::{Approver, IdentityProvider, Key, Statement, Witness, time_text};
use contracts::directory::{is_address, parse_seconds};
use domain::Person;
use uuid::Uuid;

use crate::refused::Problem;

/// The fields of a form, in the order in which they were sent.
pub(crate) struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The value of a field, without white space at its ends; empty without the field.
    pub fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn words(&self, name: &str) -> Vec<String> {
        self.text(name).split_whitespace().map(str::to_owned).collect()
    }

    fn person(&self) -> Result<Uuid, Problem> {
        self.text("person").parse().map_err(|_| Problem::new("person", "The person is not known. Reload the page."))
    }
}

/// What an edit may refer to.
pub(crate) struct Known {
    /// The person who proposes.
    pub viewer: Uuid,
    /// People of the tenant.
    pub people: Vec<Person>,
    /// Registered passkeys of the people of the tenant, as keys.
    pub passkeys: Vec<(Uuid, Key)>,
    pub services: Vec<String>,
}

/// The draft of the next statement: the statement in force, behind the last recorded one.
pub(crate) fn next(in_force: &Statement, latest: &Statement, now: DateTime<Utc>) -> Statement {
    Statement {
        version: latest.version + 1,
        previous: Some(hex::encode(latest.hash())),
        effective_at: time_text(now),
        ..in_force.clone()
    }
}

/// Applies a form to the draft.
///
/// # Errors
/// What is not valid.
pub(crate) fn apply(draft: &mut Statement, form: &Fields, known: &Known) -> Result<(), Problem> {
    match form.text("change") {
        // The statement in force again: it replaces the pending one.
        "withdraw" => {}
        "approver.add" => add_approver(draft, form, known)?,
        "approver.edit" => edit_approver(draft, form, known)?,
        "approver.remove" => remove_approver(draft, form.person()?),
        "key.passkey" => add_passkey(draft, form, known)?,
        "key.software" => add_software_key(draft, form, known)?,
        "key.remove" => {
            let (person, id) = (form.person()?, form.text("key"));
            approver(draft, person)?.keys.retain(|key| key.id != id);
        }
        "recovery" => draft.recovery_key = recovery_key(form)?,
        "protection" => protection(draft, form)?,
        _ => return Err(Problem::new("", "The form is not known. Reload the page.")),
    }
    balance(draft);
    Ok(())
}

fn approver(draft: &mut Statement, person: Uuid) -> Result<&mut Approver, Problem> {
    let found = draft.approvers.iter_mut().find(|approver| approver.person == person);
    found.ok_or_else(|| Problem::new("person", "This person is not an approver. Reload the page."))
}

fn services(form: &Fields, known: &Known) -> Result<Vec<String>, Problem> {
    let services: BTreeSet<String> = form.all("service").map(str::to_owned).collect();
    match services.iter().find(|service| !known.services.contains(service)) {
        Some(service) => Err(Problem::new("service", format!("Services: there is no service {service}"))),
        None => Ok(services.into_iter().collect()),
    }
}

fn email(form: &Fields) -> Result<String, Problem> {
    let address = form.text("email");
    if is_address(address) {
        return Ok(address.to_owned());
    }
    Err(Problem::new("email", format!("Email: {address:?} is not an email address")))
}

fn add_approver(draft: &mut Statement, form: &Fields, known: &Known) -> Result<(), Problem> {
    let name = form.text("name").to_owned();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let problem = "Name: enter 1 to 64 lowercase letters, digits, dots, dashes or underscores";
        return Err(Problem::new("name", problem));
    }
    if draft.approvers.iter().any(|approver| approver.name == name) {
        return Err(Problem::new("name", format!("Name: {name} is an approver already")));
    }
    let person = known.people.iter().find(|person| person.name == name);
    let id = person.map_or_else(Uuid::now_v7, |person| person.id.0);
    let keys = known.passkeys.iter().filter(|(owner, _)| *owner == id).map(|(_, key)| key.clone()).collect();
    let email = match person {
        Some(person) if form.text("email").is_empty() => person.email.clone(),
        _ => email(form)?,
    };
    draft.approvers.push(Approver { person: id, name, email, services: services(form, known)?, keys });
    Ok(())
}

fn edit_approver(draft: &mut Statement, form: &Fields, known: &Known) -> Result<(), Problem> {
    let (email, services) = (email(form)?, services(form, known)?);
    let approver = approver(draft, form.person()?)?;
    approver.email = email;
    approver.services = services;
    Ok(())
}

fn remove_approver(draft: &mut Statement, person: Uuid) {
    draft.approvers.retain(|approver| approver.person != person);
    draft.delegations.retain(|delegation| delegation.person != person && delegation.delegate != person);
}

/// Adds a registered passkey of the person who proposes.
fn add_passkey(draft: &mut Statement, form: &Fields, known: &Known) -> Result<(), Problem> {
    let id = form.text("key");
    let registered = known.passkeys.iter().find(|(owner, key)| *owner == known.viewer && key.id == id);
    let (_, key) = registered.ok_or_else(|| Problem::new("key", "The passkey is not registered. Add it again."))?;
    let approver = approver(draft, known.viewer)?;
    if approver.keys.iter().all(|there| there.id != key.id) {
        approver.keys.push(key.clone());
    }
    Ok(())
}

fn add_software_key(draft: &mut Statement, form: &Fields, known: &Known) -> Result<(), Problem> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(form.text("public_key")).ok();
    let bytes: Option<[u8; 32]> = decoded.and_then(|bytes| bytes.try_into().ok());
    let problem = "Public key: enter the public key that `lockbox key create` printed";
    let key = Key::software(&bytes.ok_or_else(|| Problem::new("public_key", problem))?);
    if !draft.rules.software_keys {
        return Err(Problem::new("public_key", "Public key: the rules do not allow software keys"));
    }
    approver(draft, known.viewer)?.keys.push(key);
    Ok(())
}

/// The public key that the browser derived from a new recovery code; none removes the code.
fn recovery_key(form: &Fields) -> Result<Option<Key>, Problem> {
    match form.text("recovery_key") {
        "" => Ok(None),
        text => {
            let key = serde_json::from_str(text);
            key.map(Some).map_err(|_| Problem::new("recovery_key", "The key of the recovery code cannot be read."))
        }
    }
}

fn protection(draft: &mut Statement, form: &Fields) -> Result<(), Problem> {
    let number = |name: &'static str, label: &str| {
        let problem = || Problem::new(name, format!("{label}: enter a whole number"));
        form.text(name).parse::<usize>().map_err(|_| problem())
    };
    draft.change_signatures = number("change_signatures", "Signatures for a change")?;
    draft.change_delay_seconds = parse_seconds(form.text("change_delay"))
        .map_err(|problem| Problem::new("change_delay", format!("Delay: {problem}")))?;
    draft.rules.software_keys = !form.text("software_keys").is_empty();
    draft.rules.witnesses_required = number("witnesses_required", "Required witnesses")?;
    draft.rules.witnesses = form
        .words("witnesses")
        .into_iter()
        .map(|key| match key.split_once('+') {
            Some((name, _)) if !name.is_empty() => Ok(Witness { name: name.to_owned(), key }),
            _ => Err(Problem::new("witnesses", format!("Witnesses: {key:?} is not a key in the form name+id+key"))),
        })
        .collect::<Result<_, _>>()?;
    let (issuer, client_id) = (form.text("issuer").to_owned(), form.text("client_id").to_owned());
    draft.identity_provider = match (issuer.is_empty(), client_id.is_empty()) {
        (true, true) => None,
        (false, false) => Some(IdentityProvider { issuer, client_id }),
        _ => return Err(Problem::new("issuer", "Identity provider: enter both the issuer and the client id")),
    };
    Ok(())
}

/// Keeps the numbers of a statement possible: two approvers with keys sign changes together, and no more are required than can
/// sign.
pub(crate) fn balance(draft: &mut Statement) {
    let signers = draft.approvers.iter().filter(|approver| !approver.keys.is_empty()).count().max(1);
    draft.change_signatures = draft.change_signatures.clamp(signers.min(2), signers);
    draft.rules.required_approvals = draft.rules.required_approvals.clamp(1, signers);
}
