-- The audit log: every event and every refusal, once, as the exact published bytes, in one Merkle log per tenant. Events are
-- stored by month. Their position in the log is a row of its own, so that no row of either table ever changes.
-- docs/audit-format.md describes the bytes.

create table audit_events (
    id              uuid not null,
    at              timestamptz not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    type            text not null,
    tenant          text,
    request         uuid,
    version         integer,
    service_request text,
    person          text,
    -- Id of the message that caused this event.
    cause           text,
    -- Words for searches. What people wrote is in `texts`, where it can be redacted.
    text            text,
    -- The exact bytes that were published.
    body            bytea not null,
    primary key (id, at)
) partition by range (at);

create index audit_events_request on audit_events (request, at, id) where request is not null;
create index audit_events_at on audit_events (at, id);
create index audit_events_tenant on audit_events (tenant, at);
create index audit_events_person on audit_events (person, at) where person is not null;
create index audit_events_ticket on audit_events (service_request) where service_request is not null;
create index audit_events_cause on audit_events (cause) where cause is not null;
create index audit_events_type on audit_events (type, at);
create index audit_events_text on audit_events using gin (to_tsvector('simple', text)) where text is not null;

create trigger audit_events_kept before update or delete on audit_events for each row execute function history_is_kept();
create trigger audit_events_kept_whole before truncate on audit_events execute function history_is_kept();

-- Events without a partition for their month are stored here, so that no event is refused.
create table audit_events_other partition of audit_events default;
create trigger audit_events_other_kept_whole before truncate on audit_events_other execute function history_is_kept();

-- Creates partitions from the previous month until three months ahead. The caller needs no right to create tables.
create function audit_prepare_months() returns integer language plpgsql security definer set search_path from current as $$
declare
    month timestamptz;
    made  integer := 0;
    name  text;
begin
    -- One caller at a time: two that create the same month would fail.
    if not pg_try_advisory_xact_lock(7305181401) then
        return 0;
    end if;
    for ahead in -1..3 loop
        month := date_trunc('month', clock_timestamp() at time zone 'UTC') at time zone 'UTC' + make_interval(months => ahead);
        name := 'audit_events_' || to_char(month at time zone 'UTC', 'YYYY_MM');
        if to_regclass(name) is null then
            begin
                execute format('create table %I partition of audit_events for values from (%L) to (%L)', name, month,
                    ((month at time zone 'UTC') + interval '1 month') at time zone 'UTC');
                execute format('create trigger %I before truncate on %I execute function history_is_kept()', name || '_kept', name);
                made := made + 1;
            exception when check_violation then
                -- Events of this month are already in the default partition, and stay there.
                null;
            end;
        end if;
    end loop;
    return made;
end $$;
select audit_prepare_months();

-- Recorded events without a position in a log yet. Rows come and go; their order is not significant.
create table audit_staged (
    n          bigint generated always as identity primary key,
    id         uuid not null,
    at         timestamptz not null,
    request    uuid,
    version    integer,
    -- Deferred while an earlier step is missing.
    look_after timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000);
create index audit_staged_due on audit_staged (look_after, n);
-- Two different events cannot be the same step of a request.
create unique index audit_staged_step on audit_staged (request, version) where version is not null;

-- Events that a verifier would not accept. They get no position in a log, because a signed log cannot be corrected. They are
-- stored here with the reason, and `lockbox audit check` reports them.

create table audit_quarantine (
    event          uuid primary key,
    at             timestamptz not null,
    tenant         text,
    request        uuid,
    version        integer,
    type           text not null,
    reason         text not null,
    -- The exact bytes: the month of the event may be archived.
    body           bytea not null,
    quarantined_at timestamptz not null default clock_timestamp()
);
create index audit_quarantine_tenant on audit_quarantine (tenant);

create trigger audit_quarantine_kept before update or delete on audit_quarantine for each row execute function history_is_kept();
create trigger audit_quarantine_kept_whole before truncate on audit_quarantine execute function history_is_kept();

create table audit_logs (
    id           integer generated always as identity primary key,
    -- Null is the operator's log.
    tenant       text constraint audit_logs_tenant_key unique nulls not distinct,
    origin       text not null constraint audit_logs_origin_key unique,
    size         bigint not null default 0,
    root         bytea not null default '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    heartbeat_at timestamptz not null default 'epoch',
    begun_at     timestamptz not null default clock_timestamp()
);

create function audit_logs_guard() returns trigger language plpgsql as $$
begin
    if new.id <> old.id or new.tenant is distinct from old.tenant or new.origin <> old.origin or new.size < old.size
       or (new.size = old.size and new.root <> old.root) then
        raise exception 'a log can only grow' using errcode = 'LB001', constraint = 'audit_logs_grow';
    end if;
    return new;
end $$;
create trigger audit_logs_guard before update on audit_logs for each row execute function audit_logs_guard();
create trigger audit_logs_kept before delete on audit_logs for each row execute function history_is_kept();
create trigger audit_logs_kept_whole before truncate on audit_logs execute function history_is_kept();

create table audit_entries (
    log     integer not null references audit_logs (id),
    index   bigint not null,
    event   uuid not null constraint audit_entries_event_key unique,
    -- Month partition that contains the event.
    at      timestamptz not null,
    request uuid,
    version integer,
    -- Position in the stream, and the leaf hash of the previous entry of the stream.
    seq     bigint not null,
    prev    bytea not null,
    leaf    bytea not null,
    v       smallint not null,
    indexed_at timestamptz not null default clock_timestamp(),
    primary key (log, index)
);
create unique index audit_entries_step on audit_entries (request, version) where version is not null;

-- Hashes above the leaves: the node of level L and number N covers 256 nodes of level L-1.
create table audit_nodes (
    log   integer not null references audit_logs (id),
    level smallint not null constraint audit_nodes_level_check check (level >= 1),
    index bigint not null,
    hash  bytea not null,
    primary key (log, level, index)
);

-- The last position of each stream. It follows from the entries and avoids reading them.
create table audit_streams (
    log     integer not null references audit_logs (id),
    stream  uuid not null,
    seq     bigint not null,
    version integer not null,
    leaf    bytea not null,
    primary key (log, stream)
) with (fillfactor = 80);

create table audit_checkpoints (
    log       integer not null references audit_logs (id),
    size      bigint not null,
    root      bytea not null,
    note      text not null,
    signed_at timestamptz not null default clock_timestamp(),
    primary key (log, size)
);

-- Public keys that have signed a log, or were announced for it.
create table audit_keys (
    log      integer not null references audit_logs (id),
    key      text not null,
    added_at timestamptz not null default clock_timestamp(),
    primary key (log, key)
);

create table audit_cosignatures (
    log     integer not null references audit_logs (id),
    size    bigint not null,
    witness text not null,
    line    text not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (log, size, witness)
);

do $$
declare
    name text;
begin
    foreach name in array array['audit_entries', 'audit_nodes', 'audit_checkpoints', 'audit_keys', 'audit_cosignatures'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function history_is_kept()', name || '_kept', name);
        execute format('create trigger %I before truncate on %I execute function history_is_kept()', name || '_kept_whole', name);
    end loop;
end $$;

-- What people wrote. Events contain commitments to it, so they stay valid when it is redacted.
create table texts (
    event      uuid not null,
    field      text not null,
    commitment bytea not null,
    salt       bytea,
    text       text,
    redacted_at  timestamptz,
    primary key (event, field),
    constraint texts_redacted_check check ((redacted_at is null) = (text is not null) and (text is null) = (salt is null)),
    constraint texts_commitment_check check (text is null or commitment = sha256(salt || convert_to(text, 'UTF8')))
);
create index texts_words on texts using gin (to_tsvector('simple', text)) where text is not null;

create function texts_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.event <> old.event or new.field <> old.field or new.commitment <> old.commitment
       or new.text is not null then
        raise exception 'a text can only be redacted' using errcode = 'LB001', constraint = 'texts_only_redacted';
    end if;
    return new;
end $$;
create trigger texts_guard before update or delete on texts for each row execute function texts_guard();
create trigger texts_kept_whole before truncate on texts execute function history_is_kept();

-- The log has the steps of a request in their order: both approvals come before grant.activated.
create function access_is_proved(asked uuid) returns boolean language sql stable security definer set search_path from current as $$
    select exists (
        select from requests r join tenants t on t.id = r.tenant
        where r.id = asked and (
            t.witnesses_required is null
            or exists (
                select from audit_events a join audit_entries e on e.event = a.id
                where a.request = r.id and a.type = 'grant.activated' and (
                    (t.witnesses_required = 0
                     and exists (select from audit_checkpoints c where c.log = e.log and c.size > e.index))
                    or (t.witnesses_required > 0 and exists (
                        select from audit_cosignatures s join witnesses w on w.tenant = t.id and w.name = s.witness
                        where s.log = e.log and s.size > e.index
                        group by s.size having count(*) >= t.witnesses_required))
                )
            )
        )
    )
$$;

-- Forwarding of logs to other systems (`lockbox audit forward`): how many entries of each log each system has accepted. The
-- position moves only after the other system has accepted the entries before it. So a crash repeats few entries and omits none.

create table audit_forwards (
    -- URL of the other system, without secrets.
    destination text not null,
    log         integer not null references audit_logs (id),
    -- Index of the first entry that it has not accepted.
    next        bigint not null default 0 constraint audit_forwards_next_check check (next >= 0),
    moved_at    timestamptz not null default clock_timestamp(),
    primary key (destination, log)
);

-- Archived months (`lockbox audit archive`): events are removed after their export was verified. Their entries, leaf hashes and
-- tree stay, so that every checkpoint can still be proved; the events themselves are in the archive.

create table audit_archives (
    log         integer not null references audit_logs (id),
    -- First day of the month, in UTC.
    month       date not null,
    -- Entries of the log before this one may exist only in the archive. A multiple of 256, so that the rest starts with a full tile.
    cut         bigint not null constraint audit_archives_cut_check check (cut >= 0 and cut % 256 = 0),
    -- Number of entries whose events were archived.
    entries     bigint not null,
    -- The bundle that contains them.
    bundle      text not null,
    sha256      bytea not null,
    archived_at timestamptz not null default clock_timestamp(),
    primary key (log, month)
);
create trigger audit_archives_kept before update or delete on audit_archives for each row execute function history_is_kept();
create trigger audit_archives_kept_whole before truncate on audit_archives execute function history_is_kept();
