-- Emergencies: a customer's approvers may say yes beforehand, to a narrow rule with an end and a quota. Without such a rule
-- there are no emergencies. The managers' two yeses name the rule by its digest; here it is asked whether it still stands.

create table standing_consents (
    id              uuid primary key,
    tenant          uuid not null references tenants (id),
    name            text not null,
    -- The exact bytes of the rule as it was given, and their SHA-256.
    document        bytea not null,
    digest          bytea not null constraint standing_consents_digest_check check (digest = sha256(document)),
    services        text[] not null constraint standing_consents_services_check check (cardinality(services) >= 1),
    ceiling_seconds bigint not null constraint standing_consents_ceiling_check check (ceiling_seconds between 1 and 14400),
    quota           integer not null constraint standing_consents_quota_check check (quota between 1 and 100),
    until_at        timestamptz not null,
    given_by        uuid not null references people (id),
    given_at        timestamptz not null default clock_timestamp(),
    ended_at        timestamptz,
    ended_by        uuid references people (id),
    constraint standing_consents_window check (until_at > given_at and until_at <= given_at + interval '366 days')
);
create unique index standing_consents_name on standing_consents (tenant, name) where ended_at is null;

-- Only an approver of the tenant gives one, and it never changes but that it ends.
create function standing_consents_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if not exists (select from people p join current_assignments a on a.person = p.id and a.role = 'approver'
                       where p.id = new.given_by and p.tenant = new.tenant and p.enabled) then
            raise exception 'only an approver of the tenant gives a standing consent' using errcode = 'LB001', constraint = 'standing_consents_side';
        end if;
    elsif (new.id, new.tenant, new.name, new.document, new.digest, new.services, new.ceiling_seconds, new.quota, new.until_at, new.given_by, new.given_at)
          is distinct from
          (old.id, old.tenant, old.name, old.document, old.digest, old.services, old.ceiling_seconds, old.quota, old.until_at, old.given_by, old.given_at)
          or old.ended_at is not null then
        raise exception 'a standing consent only ends' using errcode = 'LB001', constraint = 'standing_consents_immutable';
    end if;
    return new;
end $$;
create trigger standing_consents_guard before insert or update on standing_consents for each row execute function standing_consents_guard();
create trigger standing_consents_kept before delete on standing_consents for each row execute function history_is_kept();
create trigger standing_consents_kept_whole before truncate on standing_consents execute function history_is_kept();

-- Each use counts against the quota, and is owed a review.
create table emergency_uses (
    request     uuid primary key references requests (id),
    consent     uuid not null references standing_consents (id),
    granted_at  timestamptz not null default clock_timestamp(),
    reviewed_at timestamptz
);
create index emergency_uses_consent on emergency_uses (consent);
create index emergency_uses_owed on emergency_uses (granted_at) where reviewed_at is null;
create trigger emergency_uses_kept before delete on emergency_uses for each row execute function history_is_kept();
create trigger emergency_uses_kept_whole before truncate on emergency_uses execute function history_is_kept();

-- What stands behind an emergency, asked under the locks of the request and of the rule.
create function emergency_guard(old requests, new requests, now_is timestamptz) returns void language plpgsql as $$
declare
    asked   jsonb := convert_from(new.content, 'UTF8')::jsonb -> 'emergency';
    consent standing_consents;
    yeses   integer;
begin
    if now_is >= old.review_by then
        raise exception 'the deadline of the review has passed' using errcode = 'LB002', constraint = 'requests_deadline';
    end if;
    select * into consent from standing_consents where id = (asked ->> 'consent')::uuid and tenant = new.tenant for update;
    if not found or consent.ended_at is not null or now_is >= consent.until_at
       or not new.service = any (consent.services) or encode(consent.digest, 'hex') <> asked ->> 'digest'
       or new.duration_seconds > consent.ceiling_seconds
       or (select count(*) from emergency_uses u where u.consent = (asked ->> 'consent')::uuid) >= consent.quota then
        raise exception 'no standing consent stands behind this' using errcode = 'LB001', constraint = 'requests_standing_consent';
    end if;
    select count(*) into yeses from decisions
    where request = new.id and stage = 'manager' and verdict = 'approve' and digest = new.digest and person <> new.requester;
    if yeses < 2 then
        raise exception 'too few yeses of managers stand behind this' using errcode = 'LB001', constraint = 'requests_yeses';
    end if;
    insert into emergency_uses (request, consent) values (new.id, consent.id);
end $$;
