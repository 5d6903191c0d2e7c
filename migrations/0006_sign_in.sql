-- How people and programs sign in: sessions of the portal, identities at providers, passkeys and API tokens.

create table sessions (
    -- SHA-256 of the cookie's value: reading this table lets nobody in.
    token_hash   bytea primary key,
    person       uuid not null references people (id),
    -- Stands in every form of this session.
    form_token   text not null,
    -- How they signed in: `oidc`, `developer`.
    method       text not null,
    created_at   timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null,
    -- The identity provider, so that signing out can end its session too.
    issuer       text,
    -- Shown to the provider at sign-out (id_token_hint). It lets nobody in: its nonce is used up.
    id_token     text
);
create index sessions_person on sessions (person);

-- A disabled person is signed out everywhere, in the transaction that disables them.
create function people_sign_out() returns trigger language plpgsql as $$
begin
    delete from sessions where person = new.id;
    return new;
end $$;
create trigger people_sign_out after update on people for each row when (not new.enabled) execute function people_sign_out();

-- Who a person is at the identity provider. Linked once, by a verified address that the directory knows; afterwards
-- only issuer and subject count, so that an address that changes hands opens nothing.

create table identities (
    issuer    text not null,
    subject   text not null,
    person    uuid not null references people (id),
    linked_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject),
    -- One identity per person and issuer: a second one is a matter for an administrator.
    constraint identities_person unique (issuer, person)
);

-- Sign-ins under way, until the provider sends the person back.
create table sign_ins (
    -- SHA-256 of the state, which the browser holds in a cookie too.
    state_hash bytea primary key,
    nonce      text not null,
    verifier   text not null,
    next       text not null,
    begun_at   timestamptz not null default clock_timestamp(),
    issuer     text not null
);

create table passkeys (
    -- Id as browsers say it (base64url).
    credential   text primary key,
    person       uuid not null references people (id),
    -- What its owner calls it.
    name         text not null,
    -- Public key, counter and flags.
    record       jsonb not null,
    added_at     timestamptz not null default clock_timestamp(),
    last_used_at timestamptz
);
create index passkeys_person on passkeys (person);

-- Registrations under way, one a person, for ten minutes.
create table passkey_registrations (
    person   uuid primary key references people (id),
    state    jsonb not null,
    begun_at timestamptz not null default clock_timestamp()
);

create table api_tokens (
    id           uuid primary key,
    -- SHA-256 of the token: reading this table lets nobody in.
    token_hash   bytea not null unique,
    -- Whose token; null is a program's, such as the ticketing system's.
    person       uuid references people (id),
    -- What it is for.
    name         text not null,
    scopes       text[] not null,
    created_at   timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- What a caller sent under an idempotency key: the same again is the same message.
create table idempotency_keys (
    token     uuid not null references api_tokens (id),
    key       text not null,
    body_hash bytea not null,
    message   uuid not null,
    sent_at   timestamptz not null default clock_timestamp(),
    primary key (token, key)
);

-- Searches of the audit log that people keep under a name.
create table saved_searches (
    person   uuid not null references people (id),
    name     text not null,
    -- The query of the page's address.
    query    text not null,
    saved_at timestamptz not null default clock_timestamp(),
    primary key (person, name)
);
