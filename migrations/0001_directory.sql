-- Who there is and what they may do. Authority is read from these rows at the moment of every decision; nothing that
-- a message claims about a person counts.

create table tenants (
    id               uuid primary key,
    name             text not null constraint tenants_name_key unique,
    display_name     text not null,
    enabled          boolean not null default true,
    notice_addresses text[] not null default '{}',
    -- Rules are columns with checks, so that a missing or empty rule cannot exist: it would open the door.
    review_deadline_seconds   bigint  not null constraint tenants_review_deadline_check   check (review_deadline_seconds between 1 and 1209600),
    decision_deadline_seconds bigint  not null constraint tenants_decision_deadline_check check (decision_deadline_seconds between 1 and 1209600),
    access_default_seconds    bigint  not null constraint tenants_access_default_check    check (access_default_seconds between 1 and 604800),
    access_ceiling_seconds    bigint  not null constraint tenants_access_ceiling_check    check (access_ceiling_seconds between 1 and 604800),
    required_approvals        integer not null constraint tenants_required_approvals_check check (required_approvals between 1 and 10),
    comment_required          boolean not null default false,
    reminders_seconds         bigint[] not null default '{}'
);

create table people (
    id           uuid primary key,
    name         text not null constraint people_name_key unique,
    display_name text not null,
    email        text not null,
    -- Null is the vendor's side. A person never changes sides: another side is another person.
    tenant       uuid references tenants (id),
    enabled      boolean not null default true
);

-- The same mailbox on two sides could say both yeses.
create unique index people_email_key on people (lower(email));

create table assignments (
    person  uuid not null references people (id),
    role    text not null constraint assignments_role_check check (role in ('engineer', 'manager', 'approver', 'auditor')),
    -- Null is every service.
    service text,
    constraint assignments_key unique nulls not distinct (person, role, service)
);

create index assignments_role on assignments (role);

-- A vendor's person can never approve for a customer, and a customer's person neither asks nor reviews.
create function assignments_guard() returns trigger language plpgsql as $$
declare
    customer uuid;
begin
    select tenant into customer from people where id = new.person;
    if (new.role = 'approver' and customer is null) or (new.role in ('engineer', 'manager') and customer is not null) then
        raise exception 'role % cannot be held on this side', new.role using errcode = 'LB001', constraint = 'assignments_side';
    end if;
    return new;
end $$;
create trigger assignments_guard before insert or update on assignments for each row execute function assignments_guard();

create function people_guard() returns trigger language plpgsql as $$
begin
    if new.tenant is distinct from old.tenant then
        raise exception 'a person never changes sides' using errcode = 'LB001', constraint = 'people_side';
    end if;
    return new;
end $$;
create trigger people_guard before update on people for each row execute function people_guard();

create table services (
    name text primary key
);

-- Which broker login may send which command. Nothing listed means nothing allowed.
create table producers (
    login   text not null,
    command text not null,
    primary key (login, command)
);
