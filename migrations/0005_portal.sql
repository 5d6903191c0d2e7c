-- Signed-in people of the portal, and what its lists need to stay fast with a million requests in the table.

create table sessions (
    -- SHA-256 of the cookie's value: reading this table lets nobody in.
    token_hash   bytea primary key,
    person       uuid not null references people (id),
    -- Stands in every form of this session.
    form_token   text not null,
    -- How they signed in: `oidc`, `developer`.
    method       text not null,
    created_at   timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null
);
create index sessions_person on sessions (person);

-- A disabled person is signed out everywhere, in the transaction that disables them.
create function people_sign_out() returns trigger language plpgsql as $$
begin
    delete from sessions where person = new.id;
    return new;
end $$;
create trigger people_sign_out after update on people for each row when (not new.enabled) execute function people_sign_out();

create index requests_tenant on requests (tenant, submitted_at desc, id desc);
create index requests_waiting on requests (state, submitted_at desc, id desc) where over_at is null;
