//! Which person of the directory an identity is. Issuer and subject count; only the first time, the claim that was
//! chosen finds the person, and every refusal says what was missing.

use contracts::envelope::{About, message};
use contracts::events::{Actor, IdentityChanged};
use contracts::{Kind, Traceparent};
use domain::PersonId;

use super::client::{Client, Metadata};
use super::{Claim, Claims, Fault, Known, Tokens, not_signed_in};
use crate::App;

/// The person behind an identity token that holds.
pub(super) async fn person(
    app: &App,
    client: &Client,
    metadata: &Metadata,
    tokens: &Tokens,
    claims: &Claims,
) -> Result<PersonId, Fault> {
    let entry = &client.entry;
    let named = claims.text("sub").ok_or_else(|| missing("sub", "names nobody"))?;
    let subject = match entry.claim {
        Claim::Oid => claims.text("oid").ok_or_else(|| missing("oid", "has no object id"))?,
        Claim::Email | Claim::PreferredUsername | Claim::Upn => named,
    };
    let known = match app.store.person_of_identity(&entry.issuer, subject).await? {
        Some(known) => known,
        None => first_time(app, client, metadata, tokens, (claims, named, subject)).await?,
    };
    admit(app, client, &known)?;
    Ok(PersonId(known.id))
}

fn missing(claim: &str, what: &str) -> Fault {
    let message = format!(
        "The identity provider's answer {what} (claim {claim}), so Lockbox cannot tell who you are. Ask whoever runs the \
         identity provider to send it."
    );
    not_signed_in("sign_in.claim_missing", message)
}

/// Refuses a person who is disabled, or who belongs to another provider.
fn admit(app: &App, client: &Client, known: &Known) -> Result<(), Fault> {
    if !app.oidc.serves(&client.entry, known.tenant.as_deref()) {
        tracing::warn!(person = known.name, issuer = client.entry.issuer, "sign-in through another's provider");
        let message = "Your organization signs in through another identity provider. Go back and choose that one.";
        return Err(not_signed_in("sign_in.other_provider", message));
    }
    if !known.enabled {
        let message = "Your entry in the directory is disabled. Ask whoever maintains the directory.";
        return Err(not_signed_in("sign_in.disabled", message));
    }
    Ok(())
}

/// Finds the person by the claim that was chosen, and links the identity to them.
async fn first_time(
    app: &App,
    client: &Client,
    metadata: &Metadata,
    tokens: &Tokens,
    (claims, named, subject): (&Claims, &str, &str),
) -> Result<Known, Fault> {
    let entry = &client.entry;
    let name = entry.claim.name();
    if entry.claim == Claim::Oid {
        tracing::warn!(issuer = entry.issuer, subject, "sign-in by an object id that is linked to nobody");
        let message = format!(
            "The object id {subject} is linked to nobody in the directory. Ask whoever runs this portal to link it with \
             `lockbox person link`."
        );
        return Err(not_signed_in("sign_in.unknown_person", message));
    }
    // Trust is for providers that never say it; one that says no is believed.
    let says_no = claims.text(name).is_some() && claims.flag("email_verified") == Some(false);
    let must_verify = entry.claim == Claim::Email && (!entry.trust_email || says_no);
    let is_enough = claims.text(name).is_some() && (!must_verify || claims.flag("email_verified").is_some());
    let more = if is_enough { None } else { client.user_info(metadata, tokens, named).await };
    let said = |claims: &Claims| claims.text(name).map(str::to_owned);
    let value = said(claims).or_else(|| more.as_ref().and_then(said));
    let value = value.ok_or_else(|| match entry.claim {
        Claim::Email => missing(name, "has no e-mail address"),
        Claim::PreferredUsername | Claim::Upn | Claim::Oid => missing(name, "has no user name"),
    })?;
    // An address counts as verified only by who said the address.
    let says_so = |claims: &Claims| claims.text(name) == Some(&value) && claims.flag("email_verified") == Some(true);
    if must_verify && !says_so(claims) && !more.as_ref().is_some_and(says_so) {
        let message = format!(
            "The identity provider does not say that it verified the e-mail address {value} (email_verified). Verify it \
             there, or ask whoever runs this portal to trust the provider's addresses (--oidc-trust-email)."
        );
        return Err(not_signed_in("sign_in.email_not_verified", message));
    }
    let known = app.store.person_of_address(&value).await?.ok_or_else(|| {
        tracing::warn!(subject, "somebody whom the directory does not have tried to sign in");
        let message = format!(
            "The directory does not know you: it has no person with the e-mail address {value} ({name} at the identity \
             provider). Ask whoever maintains the directory."
        );
        not_signed_in("sign_in.unknown_person", message)
    })?;
    // Before anything is linked: a provider speaks for its own people only.
    admit(app, client, &known)?;
    link(app, client, subject, known).await
}

async fn link(app: &App, client: &Client, subject: &str, known: Known) -> Result<Known, Fault> {
    let issuer = &client.entry.issuer;
    let person = app.store.person(known.id).await?.ok_or(Fault::Missing)?;
    let data = IdentityChanged {
        person: known.name.clone(),
        issuer: issuer.clone(),
        subject: subject.to_owned(),
        actor: Actor::person(&person),
    };
    let about = About { tenant: known.tenant.clone(), trace: Some(Traceparent::start()), ..About::default() };
    let now = app.store.clock().await?;
    let event = message(Kind::IdentityLinked, now, about, &data);
    if app.store.link_identity(issuer, subject, known.id, &event).await? {
        app.relay.publish(vec![event], Vec::new(), now).await;
        return Ok(known);
    }
    tracing::warn!(person = known.name, issuer, subject, "sign-in by a second identity");
    let message = format!(
        "{} is linked to another identity at this provider already. If your account there was created anew, ask whoever \
         runs this portal to run `lockbox person unlink {}`, and sign in again.",
        known.email, known.name
    );
    Err(not_signed_in("sign_in.other_identity", message))
}
