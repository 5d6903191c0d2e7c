-- Searches of the audit log that people keep under a name.
create table saved_searches (
    person   uuid not null references people (id),
    name     text not null,
    -- The query of the page's address.
    query    text not null,
    saved_at timestamptz not null default clock_timestamp(),
    primary key (person, name)
);
