-- Break-glass policies: a customer's approvers can approve in advance, with narrow limits, an end and a quota. Break-glass
-- access needs such a policy. The approvals of the managers name the policy by its digest; the guard checks that it is valid.

create table break_glass_policies (
    id              uuid primary key,
    tenant          uuid not null references tenants (id),
    name            text not null,
    -- The exact bytes of the policy as it was created, and their SHA-256.
    document        bytea not null,
    digest          bytea not null constraint break_glass_policies_digest_check check (digest = sha256(document)),
    services        text[] not null constraint break_glass_policies_services_check check (cardinality(services) >= 1),
    ceiling_seconds bigint not null constraint break_glass_policies_ceiling_check check (ceiling_seconds between 1 and 14400),
    quota           integer not null constraint break_glass_policies_quota_check check (quota between 1 and 100),
    until_at        timestamptz not null,
    given_by        uuid not null references people (id),
    given_at        timestamptz not null default clock_timestamp(),
    ended_at        timestamptz,
    ended_by        uuid references people (id),
    constraint break_glass_policies_window check (until_at > given_at and until_at <= given_at + interval '366 days')
);
create unique index break_glass_policies_name on break_glass_policies (tenant, name) where ended_at is null;

-- Only an approver of the tenant creates a policy. Afterwards it can only be ended.
create function break_glass_policies_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if not exists (select from people p join current_assignments a on a.person = p.id and a.role = 'approver'
                       where p.id = new.given_by and p.tenant = new.tenant and p.enabled) then
            raise exception 'only an approver of the tenant can create a break-glass policy' using errcode = 'LB001', constraint = 'break_glass_policies_side';
        end if;
    elsif (new.id, new.tenant, new.name, new.document, new.digest, new.services, new.ceiling_seconds, new.quota, new.until_at, new.given_by, new.given_at)
          is distinct from
          (old.id, old.tenant, old.name, old.document, old.digest, old.services, old.ceiling_seconds, old.quota, old.until_at, old.given_by, old.given_at)
          or old.ended_at is not null then
        raise exception 'a break-glass policy can only be ended' using errcode = 'LB001', constraint = 'break_glass_policies_immutable';
    end if;
    return new;
end $$;
create trigger break_glass_policies_guard before insert or update on break_glass_policies for each row execute function break_glass_policies_guard();
create trigger break_glass_policies_kept before delete on break_glass_policies for each row execute function history_is_kept();
create trigger break_glass_policies_kept_whole before truncate on break_glass_policies execute function history_is_kept();

-- Each use counts against the quota, and needs a review by the customer.
create table break_glass_uses (
    request     uuid primary key references requests (id),
    policy     uuid not null references break_glass_policies (id),
    granted_at  timestamptz not null default clock_timestamp(),
    reviewed_at timestamptz
);
create index break_glass_uses_consent on break_glass_uses (policy);
create index break_glass_uses_owed on break_glass_uses (granted_at) where reviewed_at is null;
create trigger break_glass_uses_kept before delete on break_glass_uses for each row execute function history_is_kept();
create trigger break_glass_uses_kept_whole before truncate on break_glass_uses execute function history_is_kept();

-- Conditions of break-glass access, checked under the locks of the request and of the policy.
create function break_glass_guard(old requests, new requests, now_is timestamptz) returns void language plpgsql as $$
declare
    asked   jsonb := convert_from(new.content, 'UTF8')::jsonb -> 'break_glass';
    policy break_glass_policies;
    approvals   integer;
begin
    if now_is >= old.review_deadline then
        raise exception 'the review deadline has passed' using errcode = 'LB002', constraint = 'requests_deadline';
    end if;
    select * into policy from break_glass_policies where id = (asked ->> 'policy')::uuid and tenant = new.tenant for update;
    if not found or policy.ended_at is not null or now_is >= policy.until_at
       or not new.service = any (policy.services) or encode(policy.digest, 'hex') <> asked ->> 'digest'
       or new.duration_seconds > policy.ceiling_seconds
       or (select count(*) from break_glass_uses u where u.policy = (asked ->> 'policy')::uuid) >= policy.quota then
        raise exception 'no valid break-glass policy covers this request' using errcode = 'LB001', constraint = 'requests_break_glass_policy';
    end if;
    select count(*) into approvals from decisions
    where request = new.id and stage = 'vendor' and verdict = 'approve' and digest = new.digest and person <> new.requester;
    if approvals < 2 then
        raise exception 'required approvals of managers are missing' using errcode = 'LB001', constraint = 'requests_approvals';
    end if;
    insert into break_glass_uses (request, policy) values (new.id, policy.id);
end $$;
