-- Events over HTTP, for programs that do not speak AMQP: who wants them, and what each has not taken yet.

create table webhooks (
    id            uuid primary key,
    -- Null is the vendor's own: it gets the events of every tenant. A tenant's gets that tenant's only.
    tenant        uuid references tenants (id),
    name          text not null,
    url           text not null,
    -- Beginning of the types it wants; empty is all.
    types         text not null default '',
    -- Both ends sign and check with it, so it cannot be kept as a hash.
    secret        text not null,
    added_at      timestamptz not null default clock_timestamp(),
    failing_since timestamptz,
    -- Switched off: nothing is sent, and what comes meanwhile is kept.
    off_at        timestamptz,
    off_why       text,
    -- The endpoint failed: nothing is sent until then, and after that one event at a time until one is accepted.
    paused_until  timestamptz,
    -- Failures since an event was last accepted.
    failures      integer not null default 0,
    -- Requests that may be open at once; grows while the receiver answers quickly.
    slots         smallint not null default 2,
    -- Signs beside the new secret until the overlap ends.
    secret_before text,
    secret_before_until timestamptz,
    constraint webhooks_overlap check ((secret_before is null) = (secret_before_until is null)),
    constraint webhooks_slots check (slots between 1 and 8)
);

create table webhook_deliveries (
    -- No foreign key: an event goes on record also while somebody removes the webhook.
    webhook    uuid not null,
    event      uuid not null,
    due_at     timestamptz not null default clock_timestamp(),
    attempt    integer not null default 0,
    -- All attempts; the column attempt counts those that lead to giving the event up.
    tries      integer not null default 0,
    -- A process is sending it; when that process dies, others may send it from this time on.
    claimed_until timestamptz,
    -- Every attempt failed; it stays for a while so that somebody can send it again.
    failed_at  timestamptz,
    primary key (webhook, event)
);
-- The queue of one webhook.
create index webhook_deliveries_queue on webhook_deliveries (webhook, due_at, event) where failed_at is null;
create index webhook_deliveries_claimed on webhook_deliveries (webhook) where claimed_until is not null;
create index webhook_deliveries_failed on webhook_deliveries (failed_at) where failed_at is not null;

-- Every attempt is logged.
create table webhook_attempts (
    id          bigint generated always as identity primary key,
    webhook     uuid not null,
    event       uuid not null,
    type        text not null,
    -- The first is 1.
    attempt     integer not null,
    at          timestamptz not null,
    duration_ms integer not null,
    -- Null when no answer came.
    status      smallint,
    error       text
);
create index webhook_attempts_of on webhook_attempts (webhook, id);
create index webhook_attempts_event on webhook_attempts (webhook, event);
create index webhook_attempts_at on webhook_attempts (at);

-- Whoever appends events needs no right of its own on webhooks.
-- In the transaction that puts an event on record, and once: a copy of an event adds no row and so no delivery.
create function webhooks_take() returns trigger language plpgsql security definer set search_path from current as $$
begin
    insert into webhook_deliveries (webhook, event)
    select w.id, a.id
    from added a
    join webhooks w on starts_with(a.type, w.types)
    left join tenants t on t.id = w.tenant
    where w.tenant is null or t.name = a.tenant
    order by a.at, a.version, a.id
    on conflict do nothing;
    return null;
end $$;
create trigger audit_events_webhooks after insert on audit_events
    referencing new table as added for each statement execute function webhooks_take();
