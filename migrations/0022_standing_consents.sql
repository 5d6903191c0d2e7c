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

insert into legal_moves values ('awaiting_manager', 'granted'); -- an emergency, with a second manager's yes

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

-- As before, but that an emergency is granted by two managers under a standing consent.
create or replace function requests_guard_update() returns trigger language plpgsql as $$
declare
    -- Read here, under the row's lock: a statement that waited for the lock is judged by the time it got it.
    now_is timestamptz := clock_timestamp();
    yeses  integer;
begin
    if (new.id, new.content, new.digest, new.tenant, new.requester, new.duration_seconds, new.required_approvals, new.submitted_at, new.review_by)
       is distinct from
       (old.id, old.content, old.digest, old.tenant, old.requester, old.duration_seconds, old.required_approvals, old.submitted_at, old.review_by) then
        raise exception 'the content of a request never changes' using errcode = 'LB001', constraint = 'requests_immutable';
    end if;
    if new.version <= old.version then
        raise exception 'the version of a request only rises' using errcode = 'LB001', constraint = 'requests_version';
    end if;
    if not exists (select from legal_moves where from_state = old.state and to_state = new.state) then
        raise exception 'no request moves from % to %', old.state, new.state using errcode = 'LB001', constraint = 'requests_legal_move';
    end if;
    if old.decide_by is not null and new.decide_by is distinct from old.decide_by then
        raise exception 'the deadline never moves' using errcode = 'LB001', constraint = 'requests_deadline';
    end if;
    if new.state = old.state then
        if (new.manager, new.decide_by, new.access_from, new.access_until, new.cause, new.over_at)
           is distinct from
           (old.manager, old.decide_by, old.access_from, old.access_until, old.cause, old.over_at) then
            raise exception 'a step that stays in a state changes nothing else' using errcode = 'LB001', constraint = 'requests_same_state';
        end if;
        if new.state = 'ended' then
            -- The only step after an end is the customer's word on the closing report.
            update emergency_uses set reviewed_at = now_is where request = new.id and reviewed_at is null;
        end if;
        return new;
    end if;
    if new.state = 'awaiting_customer' then
        if now_is >= old.review_by then
            raise exception 'the deadline of the review has passed' using errcode = 'LB002', constraint = 'requests_deadline';
        end if;
        select count(*) into yeses from decisions
        where request = new.id and stage = 'manager' and verdict = 'approve' and digest = new.digest
          and person = new.manager and person <> new.requester;
        if yeses <> 1 then
            raise exception 'no yes of a manager stands behind this' using errcode = 'LB001', constraint = 'requests_yeses';
        end if;
    elsif new.state = 'granted' then
        if old.state = 'awaiting_manager' then
            perform emergency_guard(old, new, now_is);
        else
            if now_is >= old.decide_by then
                raise exception 'the deadline of the decision has passed' using errcode = 'LB002', constraint = 'requests_deadline';
            end if;
            select count(*) into yeses from decisions
            where request = new.id and stage = 'customer' and verdict = 'approve' and digest = new.digest
              and person not in (new.requester, old.manager);
            if yeses < new.required_approvals then
                raise exception 'too few yeses of the customer stand behind this' using errcode = 'LB001', constraint = 'requests_yeses';
            end if;
        end if;
        if new.access_until - new.access_from > make_interval(secs => new.duration_seconds) then
            raise exception 'access is longer than was asked for' using errcode = 'LB001', constraint = 'requests_duration';
        end if;
    elsif new.state = 'expired' and now_is < coalesce(old.decide_by, old.review_by) then
        raise exception 'the deadline has not passed' using errcode = 'LB001', constraint = 'requests_deadline';
    elsif new.state = 'ended' and (new.access_until > old.access_until or (new.cause = 'time' and now_is < old.access_until)) then
        raise exception 'the end of access only moves earlier' using errcode = 'LB001', constraint = 'requests_access_until';
    end if;
    return new;
end $$;
