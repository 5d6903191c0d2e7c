-- Reminders are timers; questions and answers are steps that leave a request in its state.

alter table timers drop constraint timers_kind_check;
alter table timers add constraint timers_kind_check
    check (kind in ('review_deadline', 'decision_deadline', 'reminder', 'access_end'));

insert into legal_moves values
    ('awaiting_manager', 'awaiting_manager'), -- a question or an answer
    ('granted', 'granted');

-- As before, but for steps that stay in a state: they may change nothing but the version.
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
        if now_is >= old.decide_by then
            raise exception 'the deadline of the decision has passed' using errcode = 'LB002', constraint = 'requests_deadline';
        end if;
        select count(*) into yeses from decisions
        where request = new.id and stage = 'customer' and verdict = 'approve' and digest = new.digest
          and person not in (new.requester, old.manager);
        if yeses < new.required_approvals then
            raise exception 'too few yeses of the customer stand behind this' using errcode = 'LB001', constraint = 'requests_yeses';
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
