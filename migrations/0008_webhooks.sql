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
    off_why       text
);

create table webhook_deliveries (
    -- No foreign key: an event goes on record also while somebody removes the webhook.
    webhook    uuid not null,
    event      uuid not null,
    due_at     timestamptz not null default clock_timestamp(),
    attempt    integer not null default 0,
    last_error text,
    primary key (webhook, event)
);
create index webhook_deliveries_due on webhook_deliveries (due_at);

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
