-- Each webhook has a queue and a pause of its own, so that a slow or failing receiver delays nobody else. Every attempt
-- is logged, and a secret can be rotated while the receiver still checks with the one before.
alter table webhooks
    -- The endpoint failed: nothing is sent until then, and after that one event at a time until one is accepted.
    add column paused_until timestamptz,
    -- Failures since an event was last accepted.
    add column failures integer not null default 0,
    -- Requests that may be open at once; grows while the receiver answers quickly.
    add column slots smallint not null default 2,
    -- Signs beside the new secret until the overlap ends.
    add column secret_before text,
    add column secret_before_until timestamptz,
    add constraint webhooks_overlap check ((secret_before is null) = (secret_before_until is null)),
    add constraint webhooks_slots check (slots between 1 and 8);

alter table webhook_deliveries
    drop column last_error,
    -- All attempts; the column attempt counts those that lead to giving the event up.
    add column tries integer not null default 0,
    -- A process is sending it; whoever dies with it leaves it to others at this time.
    add column claimed_until timestamptz,
    -- Every attempt failed; it stays for a while so that somebody can send it again.
    add column failed_at timestamptz;

drop index webhook_deliveries_due;
-- The queue of one webhook.
create index webhook_deliveries_queue on webhook_deliveries (webhook, due_at, event) where failed_at is null;
create index webhook_deliveries_claimed on webhook_deliveries (webhook) where claimed_until is not null;
create index webhook_deliveries_failed on webhook_deliveries (failed_at) where failed_at is not null;

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
