-- Months of events move away (`lockbox audit retain`), after they were exported and the export was verified. Their entries,
-- leaf hashes and tree stay, so that every checkpoint goes on to be provable; the events themselves are in the archive.

create table audit_archives (
    log         integer not null references audit_logs (id),
    -- First day of the month, in UTC.
    month       date not null,
    -- Entries of the log before this one may be in the archive alone: a multiple of 256, so that what is left begins a tile.
    cut         bigint not null constraint audit_archives_cut_check check (cut >= 0 and cut % 256 = 0),
    -- Entries whose events moved.
    entries     bigint not null,
    -- The bundle that has them.
    bundle      text not null,
    sha256      bytea not null,
    archived_at timestamptz not null default clock_timestamp(),
    primary key (log, month)
);
create trigger audit_archives_kept before update or delete on audit_archives for each row execute function history_is_kept();
create trigger audit_archives_kept_whole before truncate on audit_archives execute function history_is_kept();
