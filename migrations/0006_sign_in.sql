-- How people and programs sign in: sessions of the portal, identities at providers, passkeys and API tokens.

create table sessions (
    -- SHA-256 of the cookie's value: reading this table gives no access.
    token_hash   bytea primary key,
    person       uuid not null references people (id),
    -- Token against cross-site request forgery, part of every form in this session.
    form_token   text not null,
    -- Sign-in method: `oidc`, `developer`.
    method       text not null,
    created_at   timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null,
    -- The identity provider, so that signing out can also end its session.
    issuer       text,
    -- Sent to the provider at sign-out (id_token_hint). It gives no access, because its nonce is used up.
    id_token     text
);
create index sessions_person on sessions (person);

-- A disabled person is signed out of all devices in the transaction that disables them.
create function people_sign_out() returns trigger language plpgsql as $$
begin
    delete from sessions where person = new.id;
    return new;
end $$;
create trigger people_sign_out after update on people for each row when (not new.enabled) execute function people_sign_out();

-- The identity of a person at an identity provider. It is linked once, by a verified address in the directory. Afterwards
-- only issuer and subject count, so that an address with a new owner gives no access.

create table identities (
    issuer    text not null,
    subject   text not null,
    person    uuid not null references people (id),
    linked_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject),
    -- One identity per person and issuer: an administrator must unlink it before another is linked.
    constraint identities_person unique (issuer, person)
);

-- Sign-ins in progress, until the provider redirects the person back.
create table sign_ins (
    -- SHA-256 of the state, which the browser also has in a cookie.
    state_hash bytea primary key,
    nonce      text not null,
    verifier   text not null,
    next       text not null,
    begun_at   timestamptz not null default clock_timestamp(),
    issuer     text not null
);

create table passkeys (
    -- Id as browsers return it (base64url).
    credential   text primary key,
    person       uuid not null references people (id),
    -- The owner's name for it.
    name         text not null,
    -- Public key, counter and flags.
    record       jsonb not null,
    added_at     timestamptz not null default clock_timestamp(),
    last_used_at timestamptz
);
create index passkeys_person on passkeys (person);

-- Registrations in progress, one per person, for ten minutes.
create table passkey_registrations (
    person   uuid primary key references people (id),
    state    jsonb not null,
    begun_at timestamptz not null default clock_timestamp()
);

create table api_tokens (
    id           uuid primary key,
    -- SHA-256 of the token: reading this table gives no access.
    token_hash   bytea not null unique,
    -- Owner; null for a token of a program, such as the ticketing system.
    person       uuid references people (id),
    -- Purpose.
    name         text not null,
    scopes       text[] not null,
    created_at   timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- Requests with an idempotency key: the same request again returns the same message.
create table idempotency_keys (
    -- The API token, or the person who uses developer sign-in, whose tokens are not stored.
    token     uuid not null,
    key       text not null,
    body_hash bytea not null,
    message   uuid not null,
    sent_at   timestamptz not null default clock_timestamp(),
    primary key (token, key)
);

-- Saved searches of the audit log.
create table saved_searches (
    person   uuid not null references people (id),
    name     text not null,
    -- The query part of the page's URL.
    query    text not null,
    saved_at timestamptz not null default clock_timestamp(),
    primary key (person, name)
);
