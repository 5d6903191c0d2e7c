-- What customers set themselves, and who decides for somebody who is away.

-- From the first change in the portal on, `lockbox apply` leaves a tenant's own rules alone.
alter table tenants add column settings_by text not null default 'operator'
    constraint tenants_settings_by_check check (settings_by in ('operator', 'customer'));

create table delegations (
    id         uuid primary key,
    person     uuid not null references people (id),
    delegate   uuid not null references people (id),
    from_at    timestamptz not null default clock_timestamp(),
    until_at   timestamptz not null,
    ended_at   timestamptz,
    constraint delegations_other check (person <> delegate),
    constraint delegations_window check (until_at > from_at)
);
create index delegations_delegate on delegations (delegate) where ended_at is null;

-- Nobody outside the tenant decides, not even for somebody who is away.
create function delegations_guard() returns trigger language plpgsql as $$
begin
    if not exists (select from people p join people d on d.tenant = p.tenant where p.id = new.person and d.id = new.delegate) then
        raise exception 'a delegate belongs to the same tenant' using errcode = 'LB001', constraint = 'delegations_side';
    end if;
    return new;
end $$;
create trigger delegations_guard before insert or update on delegations for each row execute function delegations_guard();

-- Roles as they are held now: a delegate holds what the person who is away holds, no longer and nothing else.
create view current_assignments as
    select person, role, service from assignments
    union
    select d.delegate, a.role, a.service
    from delegations d
    join assignments a on a.person = d.person and a.role = 'approver'
    join people p on p.id = d.person and p.enabled
    where d.ended_at is null and d.from_at <= clock_timestamp() and clock_timestamp() < d.until_at;
