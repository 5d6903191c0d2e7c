-- The record goes on to other systems (`lockbox audit forward`): how far each of them has taken each log. The place moves
-- only after the other end took what stands before it, so what is sent again after a crash is little, and nothing is left out.

create table audit_forwards (
    -- Address of the other end, without secrets.
    destination text not null,
    log         integer not null references audit_logs (id),
    -- Index of the first entry that it has not taken.
    next        bigint not null default 0 constraint audit_forwards_next_check check (next >= 0),
    moved_at    timestamptz not null default clock_timestamp(),
    primary key (destination, log)
);
