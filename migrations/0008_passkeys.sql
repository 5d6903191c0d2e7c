-- Passkeys of people, and the proof that one of them stands behind a decision.

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

alter table decisions add column passkey jsonb;
alter table tenants add column passkey_required boolean not null default false;
