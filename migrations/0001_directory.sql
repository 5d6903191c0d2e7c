-- Tenants, people and what they may do. Every decision reads authority from these rows; claims about a person in a message
-- do not count.

create table tenants (
    id               uuid primary key,
    name             text not null constraint tenants_name_key unique,
    display_name     text not null,
    enabled          boolean not null default true,
    notification_recipients text[] not null default '{}',
    -- Rules are columns with checks, so that a missing or empty rule, which would grant access, cannot exist.
    review_deadline_seconds   bigint  not null constraint tenants_review_deadline_check   check (review_deadline_seconds between 1 and 1209600),
    decision_deadline_seconds bigint  not null constraint tenants_decision_deadline_check check (decision_deadline_seconds between 1 and 1209600),
    access_default_seconds    bigint  not null constraint tenants_access_default_check    check (access_default_seconds between 1 and 604800),
    access_ceiling_seconds    bigint  not null constraint tenants_access_ceiling_check    check (access_ceiling_seconds between 1 and 604800),
    required_approvals        integer not null constraint tenants_required_approvals_check check (required_approvals between 1 and 10),
    comment_required          boolean not null default false,
    reminders_seconds         bigint[] not null default '{}',
    passkey_required          boolean not null default false,
    -- `customer` after the first change in the portal: from then on, `lockbox apply` does not change this tenant's rules.
    settings_owner               text not null default 'operator' constraint tenants_settings_owner_check check (settings_owner in ('operator', 'customer')),
    -- Groups, and people or groups per service, as the tenant's approvers set them in the portal. `assignments` is derived
    -- from this.
    approver_rules                  jsonb,
    -- `customer` after the first change in the portal: from then on, `lockbox apply` does not change this tenant's approvers.
    approver_rules_owner               text not null default 'operator' constraint tenants_approver_rules_owner_check check (approver_rules_owner in ('operator', 'customer')),
    -- Null: access needs no proof in the log. 0: the log's own signature is enough. More: this many witnesses must have signed.
    witnesses_required        integer constraint tenants_witnesses_required_check check (witnesses_required between 0 and 10),
    -- Whether anyone may read the tenant's log at the portal's /.well-known/lockbox, without a token.
    public_log                boolean not null default false
);

create table witnesses (
    tenant uuid not null references tenants (id),
    name   text not null,
    url    text not null,
    -- The public key: name+id+key.
    key    text not null,
    primary key (tenant, name)
);

create table people (
    id           uuid primary key,
    name         text not null constraint people_name_key unique,
    display_name text not null,
    email        text not null,
    -- Null is the vendor's side. A person never changes sides; a person on another side needs another row.
    tenant       uuid references tenants (id),
    enabled      boolean not null default true
);

-- The same mailbox on both sides could give both approvals.
create unique index people_email_key on people (lower(email));

create table assignments (
    person  uuid not null references people (id),
    role    text not null constraint assignments_role_check check (role in ('engineer', 'manager', 'approver', 'auditor')),
    -- Null is every service.
    service text,
    constraint assignments_key unique nulls not distinct (person, role, service)
);

create index assignments_role on assignments (role);

-- A person of the vendor can never approve for a customer. A person of a customer can neither request nor review.
create function assignments_guard() returns trigger language plpgsql as $$
declare
    customer uuid;
begin
    select tenant into customer from people where id = new.person;
    if (new.role = 'approver' and customer is null) or (new.role in ('engineer', 'manager') and customer is not null) then
        raise exception 'a person on this side cannot have the role %', new.role using errcode = 'LB001', constraint = 'assignments_side';
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

-- Which broker login may send which command. A command that is not listed is not allowed.
create table producers (
    login   text not null,
    command text not null,
    primary key (login, command)
);

-- While an approver is out of office, a delegate decides.
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

-- Only people of the same tenant can decide for an approver who is out of office.
create function delegations_guard() returns trigger language plpgsql as $$
begin
    if not exists (select from people p join people d on d.tenant = p.tenant where p.id = new.person and d.id = new.delegate) then
        raise exception 'a delegate must belong to the same tenant' using errcode = 'LB001', constraint = 'delegations_side';
    end if;
    return new;
end $$;
create trigger delegations_guard before insert or update on delegations for each row execute function delegations_guard();

-- Current roles: a delegate has the approver roles of the person who is out of office, for that time only.
create view current_assignments as
    select person, role, service from assignments
    union
    select d.delegate, a.role, a.service
    from delegations d
    join assignments a on a.person = d.person and a.role = 'approver'
    join people p on p.id = d.person and p.enabled
    where d.ended_at is null and d.from_at <= clock_timestamp() and clock_timestamp() < d.until_at;
