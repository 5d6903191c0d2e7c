-- The authority of a tenant: signed statements that say who may approve, with which keys, and which rules protect the tenant.
-- A tenant is founded when it has a statement; from then on only its own approvers change it. `docs/audit-format.md` §11
-- describes the documents. The rows of people, roles and rules are derived from the statement in force.

create table authorities (
    -- Short name of the tenant; `vendor` is the authority of the vendor.
    authority     text not null,
    version       bigint not null,
    -- The exact statement in RFC 8785 form, and its SHA-256.
    statement     text not null,
    hash          bytea not null constraint authorities_hash_check check (hash = sha256(convert_to(statement, 'UTF8'))),
    signatures    jsonb not null,
    recorded_at   timestamptz not null,
    in_force_from timestamptz not null,
    -- The event that records it.
    event         uuid not null,
    primary key (authority, version),
    constraint authorities_time_check check (in_force_from >= recorded_at)
);

create function authorities_guard() returns trigger language plpgsql as $$
declare
    last authorities;
begin
    select * into last from authorities where authority = new.authority order by version desc limit 1;
    if new.version <> coalesce(last.version, 0) + 1
       or new.statement::jsonb ->> 'tenant' is distinct from new.authority
       or (new.statement::jsonb ->> 'version')::bigint is distinct from new.version
       or new.statement::jsonb ->> 'previous' is distinct from encode(last.hash, 'hex')
       or new.recorded_at < last.recorded_at then
        raise exception 'a statement must follow the last one of its authority' using errcode = 'LB001', constraint = 'authorities_chain';
    end if;
    return new;
end $$;
create trigger authorities_guard before insert on authorities for each row execute function authorities_guard();
create trigger authorities_kept before update or delete on authorities for each row execute function history_is_kept();
create trigger authorities_kept_whole before truncate on authorities execute function history_is_kept();

-- Statements that are in force at some time: one that is replaced before its time never is.
create view authorities_in_force as
    select a.authority, a.version, a.statement, a.in_force_from
    from authorities a left join authorities n on n.authority = a.authority and n.version = a.version + 1
    where n.version is null or a.in_force_from <= n.recorded_at;

-- The statement that the rows of people, roles and rules were last written from.
create table authority_projections (
    authority  text primary key,
    version    bigint not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- Proposed statements that collect signatures.
create table authority_changes (
    id          uuid primary key,
    authority   text not null,
    statement   text not null,
    -- `founding`, `approver`, or `directory`: the vendor's directory file differs from the statement in force.
    origin      text not null constraint authority_changes_origin_check check (origin in ('founding', 'approver', 'directory')),
    -- Null when the operator proposed it.
    proposed_by uuid references people (id),
    proposer    text not null,
    proposed_at timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null,
    signatures  jsonb not null default '[]',
    state       text not null default 'open' constraint authority_changes_state_check check (state in ('open', 'recorded', 'expired', 'withdrawn', 'superseded')),
    closed_at   timestamptz
);
create index authority_changes_open on authority_changes (authority) where state = 'open';

-- Invitations to found an authority: the link is mailed, the code takes another channel.
create table founding_invitations (
    id           uuid primary key,
    authority    text not null,
    -- Id that the invited person has, or will have.
    person       uuid not null,
    name         text not null,
    display_name text not null,
    email        text not null,
    -- SHA-256 of the token in the link, and of the code.
    link_hash    bytea not null constraint founding_invitations_link_key unique,
    code_hash    bytea not null,
    failed_attempts integer not null default 0,
    invited_by   text not null,
    invited_at   timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null,
    used_at      timestamptz
);
create index founding_invitations_authority on founding_invitations (authority) where used_at is null;

-- Random values that a decision contains, so that each signature counts once and for a short time.
create table signing_nonces (
    nonce     text primary key,
    person    uuid not null references people (id),
    request   uuid not null references requests (id),
    not_after timestamptz not null
);
create index signing_nonces_age on signing_nonces (not_after);

-- Whether the authority of a tenant is in force.
create function is_founded(asked uuid) returns boolean language sql stable as $$
    select exists (select from authorities a join tenants t on t.name = a.authority
                   where t.id = asked and a.version = 1 and a.in_force_from <= clock_timestamp())
$$;

-- In a founded tenant, only a signature decides for the customer. The worker verifies it; this guard refuses a row without one.
create function decisions_guard_signature() returns trigger language plpgsql as $$
begin
    if new.stage = 'customer' and new.signature is null
       and is_founded((select tenant from requests where id = new.request)) then
        raise exception 'a decision for a founded tenant needs a signature' using errcode = 'LB001', constraint = 'decisions_signature';
    end if;
    return new;
end $$;
create trigger decisions_guard_signature before insert on decisions for each row execute function decisions_guard_signature();

create function requests_guard_consent() returns trigger language plpgsql as $$
declare
    founded_at timestamptz := (select a.in_force_from from authorities a join tenants t on t.name = a.authority
                               where t.id = new.tenant and a.version = 1);
begin
    if exists (select from decisions d where d.request = new.id and d.stage = 'customer' and d.verdict = 'approve'
               and d.signature is null and d.decided_at >= founded_at) then
        raise exception 'access in a founded tenant needs signed approvals' using errcode = 'LB001', constraint = 'requests_consent';
    end if;
    return new;
end $$;
create trigger requests_guard_consent before update on requests for each row
    when (old.state = 'pending_customer' and new.state = 'active') execute function requests_guard_consent();
