-- The audit log: every event and every refusal, once, as the exact bytes that were published. Append only.

create table audit_events (
    id              uuid primary key,
    at              timestamptz not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    type            text not null,
    tenant          text,
    request         uuid,
    version         integer,
    service_request text,
    person          text,
    -- Id of the message this event followed from.
    cause           text,
    text            text,
    body            bytea not null
);
-- Two different events can never claim the same step of a request.
create unique index audit_events_step on audit_events (request, version) where version is not null;
create index audit_events_request on audit_events (request, at) where version is null and request is not null;
create index audit_events_at on audit_events (at, id);
create index audit_events_tenant on audit_events (tenant, at);
create index audit_events_person on audit_events (person, at) where person is not null;
create index audit_events_ticket on audit_events (service_request) where service_request is not null;
create index audit_events_cause on audit_events (cause) where cause is not null;
create index audit_events_text on audit_events using gin (to_tsvector('simple', text)) where text is not null;

create trigger audit_events_kept before update or delete on audit_events for each row execute function history_is_kept();
create trigger audit_events_kept_whole before truncate on audit_events execute function history_is_kept();
