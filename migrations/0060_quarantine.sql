-- What a verifier would not accept gets no place in a log: it would be signed, and the log would be wrong for good. Such an
-- event stands here with the reason, and whoever asks whether a log is complete is told.

create table audit_quarantine (
    event          uuid primary key,
    at             timestamptz not null,
    tenant         text,
    request        uuid,
    version        integer,
    type           text not null,
    reason         text not null,
    -- The exact bytes: the month of the event may be moved away.
    body           bytea not null,
    quarantined_at timestamptz not null default clock_timestamp()
);
create index audit_quarantine_tenant on audit_quarantine (tenant);

create trigger audit_quarantine_kept before update or delete on audit_quarantine for each row execute function history_is_kept();
create trigger audit_quarantine_kept_whole before truncate on audit_quarantine execute function history_is_kept();

-- The log takes events in the form of RFC 8785 only, so nothing is to be noted of each.
alter table audit_events drop column canonical;
