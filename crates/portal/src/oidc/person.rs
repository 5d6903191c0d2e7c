//! Finds the person of the directory behind an identity. Issuer and subject identify the person. At the first sign-in, the
//! configured claim finds the person, and the identity is linked to them.

use contracts::envelope::{About, message};
use contracts::events::{Actor, IdentityChanged};
use contracts::{Kind, Traceparent};
use domain::PersonId;
use store::identities::Known;

use super::client::{Client, Metadata, Tokens};
use super::errors::not_signed_in;
use super::settings::Claim;
use super::token::Claims;
use crate::app::App;
use crate::response::PageError;

/// The person behind a valid identity token.
pub(super) async fn person_of(
    app: &App,
    client: &Client,
    metadata: &Metadata,
    tokens: &Tokens,
    claims: &Claims,
) -> Result<PersonId, PageError> {
    let entry = &client.entry;
    let sub = claims.text("sub").ok_or_else(|| missing("sub", "no subject"))?;
    let subject = match entry.claim {
        Claim::Oid => claims.text("oid").ok_or_else(|| missing("oid", "no object id"))?,
        Claim::Email | Claim::PreferredUsername | Claim::Upn => sub,
    };
    let known = match app.store.person_of_identity(&entry.issuer, subject).await? {
        Some(known) => known,
        None => find_and_link(app, client, metadata, tokens, (claims, sub, subject)).await?,
    };
    check_person(app, client, &known).await?;
    Ok(PersonId(known.id))
}

fn missing(claim: &str, what: &str) -> PageError {
    let message = format!(
        "The token of the identity provider has {what} (claim {claim}), so Lockbox cannot identify you. Ask the \
         administrator of the identity provider to add the claim."
    );
    not_signed_in("sign_in.claim_missing", message)
}

/// Refuses a person who is disabled, or who must use another provider.
async fn check_person(app: &App, client: &Client, known: &Known) -> Result<(), PageError> {
    if !app.oidc.serves(&client.entry, known.tenant.as_deref()) || !is_named(app, client, known).await? {
        tracing::warn!(
            person = known.name,
            issuer = client.entry.issuer,
            "sign-in through the provider of another tenant"
        );
        let message = "Your organization uses another identity provider. Go back and select that provider.";
        return Err(not_signed_in("sign_in.other_provider", message));
    }
    if !known.enabled {
        let message = "You are disabled in the directory. Ask the directory administrator.";
        return Err(not_signed_in("sign_in.disabled", message));
    }
    Ok(())
}

/// Whether this is the identity provider that the tenant's authority names. Any provider is, when it names none.
async fn is_named(app: &App, client: &Client, known: &Known) -> Result<bool, PageError> {
    let Some(tenant) = &known.tenant else { return Ok(true) };
    let statement = app.store.statement_in_force(tenant).await?;
    let named = statement.and_then(|statement| statement.identity_provider);
    let entry = &client.entry;
    Ok(named.is_none_or(|named| named.issuer == entry.issuer && named.client_id == entry.client_id))
}

/// Finds the person by the configured claim, and links the identity to them.
async fn find_and_link(
    app: &App,
    client: &Client,
    metadata: &Metadata,
    tokens: &Tokens,
    (claims, sub, subject): (&Claims, &str, &str),
) -> Result<Known, PageError> {
    let entry = &client.entry;
    let name = entry.claim.name();
    if entry.claim == Claim::Oid {
        tracing::warn!(issuer = entry.issuer, subject, "sign-in with an object id that is not linked to a person");
        let message = format!(
            "The object id {subject} is not linked to a person of the directory. Ask the operator of the portal to link it \
             with `lockbox person link`."
        );
        return Err(not_signed_in("sign_in.unknown_person", message));
    }
    // The setting is for providers that never send `email_verified`; a value of false still counts.
    let is_denied = claims.text(name).is_some() && claims.flag("email_verified") == Some(false);
    let must_verify = entry.claim == Claim::Email && (!entry.trust_email || is_denied);
    let is_enough = claims.text(name).is_some() && (!must_verify || claims.flag("email_verified").is_some());
    let user_info = if is_enough { None } else { client.user_info(metadata, tokens, sub).await };
    let value_in = |claims: &Claims| claims.text(name).map(str::to_owned);
    let value = value_in(claims).or_else(|| user_info.as_ref().and_then(value_in));
    let value = value.ok_or_else(|| match entry.claim {
        Claim::Email => missing(name, "no email address"),
        Claim::PreferredUsername | Claim::Upn | Claim::Oid => missing(name, "no user name"),
    })?;
    // `email_verified` counts only in the document that has the address.
    let is_verified =
        |claims: &Claims| claims.text(name) == Some(&value) && claims.flag("email_verified") == Some(true);
    if must_verify && !is_verified(claims) && !user_info.as_ref().is_some_and(is_verified) {
        let message = format!(
            "The identity provider did not verify the email address {value} (claim email_verified). Verify the address \
             there, or ask the operator of the portal to trust the addresses of the provider (--oidc-trust-email)."
        );
        return Err(not_signed_in("sign_in.email_not_verified", message));
    }
    let known = app.store.person_of_address(&value).await?.ok_or_else(|| {
        tracing::warn!(subject, "sign-in by a person who is not in the directory");
        let message = format!(
            "The directory has no person with the email address {value} (claim {name} of the identity provider). Ask the \
             directory administrator to add you."
        );
        not_signed_in("sign_in.unknown_person", message)
    })?;
    // Before linking: a provider may only sign in people of its own tenants.
    check_person(app, client, &known).await?;
    link(app, client, subject, known).await
}

async fn link(app: &App, client: &Client, subject: &str, known: Known) -> Result<Known, PageError> {
    let issuer = &client.entry.issuer;
    let person = app.store.person(known.id).await?.ok_or(PageError::NotFound)?;
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
    tracing::warn!(person = known.name, issuer, subject, "sign-in with a second identity");
    let message = format!(
        "{} is linked to another identity of this provider already. If your account there was created again, ask the \
         operator of the portal to run `lockbox person unlink {}`, and sign in again.",
        known.email, known.name
    );
    Err(not_signed_in("sign_in.other_identity", message))
}
