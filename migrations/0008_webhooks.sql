-- Webhooks: events over HTTP for programs that do not use AMQP, and the deliveries that are still pending.

create table webhooks (
    id            uuid primary key,
    -- Null: the vendor's own webhook, which gets the events of every tenant. A tenant's webhook gets only that tenant's events.
    tenant        uuid references tenants (id),
    name          text not null,
    url           text not null,
    -- Prefix of the event types to deliver; empty is all.
    types         text not null default '',
    -- Both ends sign and verify with it, so it cannot be stored as a hash.
    secret        text not null,
    added_at      timestamptz not null default clock_timestamp(),
    failing_since timestamptz,
    -- Disabled: nothing is sent, and new events stay pending.
    off_at        timestamptz,
    off_why       text,
    -- The endpoint failed: nothing is sent until then. Afterwards one event at a time is sent until one is accepted.
    paused_until  timestamptz,
    -- Failures since the last accepted event.
    failures      integer not null default 0,
    -- Requests that may be in progress at once; increases while the receiver answers quickly.
    slots         smallint not null default 2,
    -- The previous secret also signs until the overlap ends.
    secret_before text,
    secret_before_until timestamptz,
    constraint webhooks_overlap check ((secret_before is null) = (secret_before_until is null)),
    constraint webhooks_slots check (slots between 1 and 8)
);

create table webhook_deliveries (
    -- No foreign key: an event is recorded even while the webhook is being removed.
    webhook    uuid not null,
    event      uuid not null,
    due_at     timestamptz not null default clock_timestamp(),
    attempt    integer not null default 0,
    -- All attempts; the column attempt counts those that lead to failure.
    tries      integer not null default 0,
    -- A process is sending it. If that process dies, others may send it from this time on.
    claimed_until timestamptz,
    -- Every attempt failed. The row stays for a while so that somebody can send the event again.
    failed_at  timestamptz,
    primary key (webhook, event)
);
-- The pending deliveries of one webhook.
create index webhook_deliveries_queue on webhook_deliveries (webhook, due_at, event) where failed_at is null;
create index webhook_deliveries_claimed on webhook_deliveries (webhook) where claimed_until is not null;
create index webhook_deliveries_failed on webhook_deliveries (failed_at) where failed_at is not null;

-- A log of every attempt.
create table webhook_attempts (
    id          bigint generated always as identity primary key,
    webhook     uuid not null,
    event       uuid not null,
    type        text not null,
    -- The first attempt is 1.
    attempt     integer not null,
    at          timestamptz not null,
    duration_ms integer not null,
    -- Null without a response.
    status      smallint,
    error       text
);
create index webhook_attempts_of on webhook_attempts (webhook, id);
create index webhook_attempts_event on webhook_attempts (webhook, event);
create index webhook_attempts_at on webhook_attempts (at);

-- Adds deliveries in the transaction that records the event, and once: a duplicate event adds no row and so no delivery. The
-- caller needs no right on webhooks.
create function webhooks_enqueue() returns trigger language plpgsql security definer set search_path from current as $$
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
    referencing new table as added for each statement execute function webhooks_enqueue();
