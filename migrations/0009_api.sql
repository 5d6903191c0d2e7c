-- Programs and people that call the HTTP interface.

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
