-- What an engineer shows at the gate, and how the gate finds what is open.

-- One handle a grant: a new one replaces the old. Only its hash is kept, so reading this table opens nothing.
create table grant_handles (
    request     uuid primary key references requests (id),
    handle_hash bytea not null constraint grant_handles_hash_key unique,
    person      uuid not null references people (id),
    issued_at   timestamptz not null default clock_timestamp(),
    constraint grant_handles_hash_check check (octet_length(handle_hash) = 32)
);

-- The gate asks this for every use.
create index requests_live on requests (requester, tenant, service) where state = 'granted';
