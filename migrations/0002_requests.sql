-- Requests, their decisions and their timers. The row decides; a message only wakes a worker. The triggers repeat the rules
-- of the lifecycle as the last guard: they also apply to somebody with a database console.

create table requests (
    id              uuid primary key,
    -- The document that decisions are bound to, and its SHA-256. It contains a commitment in place of the justification.
    content         bytea not null,
    digest          bytea not null constraint requests_digest_check check (digest = sha256(content)),
    -- Copies of values in the content, for lists and searches.
    tenant          uuid not null references tenants (id),
    service_request text not null,
    service         text not null,
    resource        text not null,
    requester       uuid not null references people (id),
    duration_seconds bigint not null constraint requests_duration_check check (duration_seconds >= 1),
    required_approvals integer not null constraint requests_required_approvals_check check (required_approvals >= 1),
    state           text not null,
    -- Number of events so far.
    version         integer not null,
    submitted_at    timestamptz not null,
    review_deadline       timestamptz not null,
    manager         uuid references people (id),
    decision_deadline       timestamptz,
    access_from     timestamptz,
    -- Set when access becomes active; can only become earlier.
    access_until    timestamptz,
    -- Why it ended, was withdrawn, or at which stage it expired.
    cause           text,
    finished_at         timestamptz,
    justification_redacted_at timestamptz,
    -- The words that the content commits to, and the salt of the commitment.
    justification      text,
    justification_salt bytea,
    constraint requests_state_check check (
        (state = 'pending_vendor' and manager is null and decision_deadline is null and access_until is null and finished_at is null)
        or (state = 'pending_customer' and manager is not null and decision_deadline is not null and access_until is null and finished_at is null)
        or (state = 'active' and manager is not null and access_until > access_from and finished_at is null)
        or (state = 'ended' and access_until is not null and cause is not null and finished_at is not null)
        or (state in ('vendor_denied', 'customer_denied') and access_until is null and finished_at is not null)
        or (state in ('expired', 'withdrawn') and access_until is null and cause is not null and finished_at is not null)
    )
);

create index requests_open on requests (tenant, service_request) where finished_at is null;
create index requests_submitted on requests (submitted_at desc, id);
create index requests_ticket on requests (service_request);
create index requests_requester on requests (requester, submitted_at desc);
create index requests_tenant on requests (tenant, submitted_at desc, id desc);
create index requests_waiting on requests (state, submitted_at desc, id desc) where finished_at is null;
create index requests_requester_open on requests (requester) where finished_at is null;
-- The gate reads this for every authorization check.
create index requests_live on requests (requester, tenant, service) where state = 'active';

-- When access ends, the notification says whether other access to the same content is still active. Every end searches all
-- grants of a tenant: addresses are compared without regard to case and to one slash at the end.
create index requests_same_content on requests (tenant, service, lower(rtrim(resource, '/'))) where state = 'active';

-- Every legal state change. Any other is refused.
create table legal_moves (
    from_state text not null,
    to_state   text not null,
    primary key (from_state, to_state)
);
insert into legal_moves values
    ('pending_vendor', 'pending_customer'),
    ('pending_vendor', 'vendor_denied'),
    ('pending_vendor', 'expired'),
    ('pending_vendor', 'withdrawn'),
    ('pending_customer', 'pending_customer'), -- one of several required approvals
    ('pending_customer', 'active'),
    ('pending_customer', 'customer_denied'),
    ('pending_customer', 'expired'),
    ('pending_customer', 'withdrawn'),
    ('active', 'ended'),
    ('pending_vendor', 'pending_vendor'), -- a comment
    ('active', 'active'),
    ('ended', 'ended'), -- the customer's response to the access report
    ('pending_vendor', 'active'); -- break-glass access, with a second manager's approval

create table decisions (
    request    uuid not null references requests (id),
    stage      text not null constraint decisions_stage_check check (stage in ('vendor', 'customer')),
    person     uuid not null references people (id),
    side       text not null,
    role       text not null,
    verdict    text not null constraint decisions_verdict_check check (verdict in ('approve', 'deny')),
    comment    text,
    digest     bytea not null,
    channel    text not null,
    duration_seconds bigint,
    decided_at timestamptz not null,
    -- What the person signed, and the assertion of their key.
    signature  jsonb,
    comment_redacted_at timestamptz,
    constraint decisions_key primary key (request, stage, person)
);

create function requests_guard_insert() returns trigger language plpgsql as $$
begin
    if new.state <> 'pending_vendor' or new.version <> 1 then
        raise exception 'a request must start in pending_vendor with version 1' using errcode = 'LB001', constraint = 'requests_legal_move';
    end if;
    return new;
end $$;
create trigger requests_guard_insert before insert on requests for each row execute function requests_guard_insert();

create function requests_guard_update() returns trigger language plpgsql as $$
declare
    -- Read here, under the row's lock: a statement that waited for the lock must be judged by the time after the wait.
    now_is timestamptz := clock_timestamp();
    approvals  integer;
begin
    if (new.id, new.content, new.justification, new.justification_salt, new.digest, new.tenant, new.requester, new.duration_seconds, new.required_approvals, new.submitted_at, new.review_deadline)
       is distinct from
       (old.id, old.content, old.justification, old.justification_salt, old.digest, old.tenant, old.requester, old.duration_seconds, old.required_approvals, old.submitted_at, old.review_deadline) then
        raise exception 'the content of a request cannot change' using errcode = 'LB001', constraint = 'requests_immutable';
    end if;
    if new.version <= old.version then
        raise exception 'the version of a request can only increase' using errcode = 'LB001', constraint = 'requests_version';
    end if;
    if not exists (select from legal_moves where from_state = old.state and to_state = new.state) then
        raise exception 'a request cannot change from % to %', old.state, new.state using errcode = 'LB001', constraint = 'requests_legal_move';
    end if;
    if old.decision_deadline is not null and new.decision_deadline is distinct from old.decision_deadline then
        raise exception 'the deadline of a decision cannot change' using errcode = 'LB001', constraint = 'requests_deadline';
    end if;
    if new.state = old.state then
        if (new.manager, new.decision_deadline, new.access_from, new.access_until, new.cause, new.finished_at)
           is distinct from
           (old.manager, old.decision_deadline, old.access_from, old.access_until, old.cause, old.finished_at) then
            raise exception 'a step within one state cannot change other columns' using errcode = 'LB001', constraint = 'requests_same_state';
        end if;
        if new.state = 'ended' then
            -- The only step after an end is the customer's response to the access report.
            update break_glass_uses set reviewed_at = now_is where request = new.id and reviewed_at is null;
        end if;
        return new;
    end if;
    if new.state = 'pending_customer' then
        if now_is >= old.review_deadline then
            raise exception 'the review deadline has passed' using errcode = 'LB002', constraint = 'requests_deadline';
        end if;
        select count(*) into approvals from decisions
        where request = new.id and stage = 'vendor' and verdict = 'approve' and digest = new.digest
          and person = new.manager and person <> new.requester;
        if approvals <> 1 then
            raise exception 'the vendor approval is missing' using errcode = 'LB001', constraint = 'requests_approvals';
        end if;
    elsif new.state = 'active' then
        if old.state = 'pending_vendor' then
            perform break_glass_guard(old, new, now_is);
        else
            if now_is >= old.decision_deadline then
                raise exception 'the decision deadline has passed' using errcode = 'LB002', constraint = 'requests_deadline';
            end if;
            select count(*) into approvals from decisions
            where request = new.id and stage = 'customer' and verdict = 'approve' and digest = new.digest
              and person not in (new.requester, old.manager);
            if approvals < new.required_approvals then
                raise exception 'required customer approvals are missing' using errcode = 'LB001', constraint = 'requests_approvals';
            end if;
        end if;
        if new.access_until - new.access_from > make_interval(secs => new.duration_seconds) then
            raise exception 'access is longer than requested' using errcode = 'LB001', constraint = 'requests_duration';
        end if;
    elsif new.state = 'expired' and now_is < coalesce(old.decision_deadline, old.review_deadline) then
        raise exception 'the deadline has not passed yet' using errcode = 'LB001', constraint = 'requests_deadline';
    elsif new.state = 'ended' and (new.access_until > old.access_until or (new.cause = 'expired' and now_is < old.access_until)) then
        raise exception 'the end of access can only become earlier' using errcode = 'LB001', constraint = 'requests_access_until';
    end if;
    return new;
end $$;

-- Redaction of what a person wrote: the justification of a request, and comments of decisions. Only requests in a final state
-- can be redacted, because the decisions of approvers depend on what they see. The content stays: it commits to the words.
create function requests_guard_redaction() returns trigger language plpgsql as $$
begin
    if old.justification_redacted_at is not null or old.finished_at is null
       or new.justification is not null or new.justification_salt is not null
       or to_jsonb(new) - 'justification' - 'justification_salt' - 'justification_redacted_at'
          <> to_jsonb(old) - 'justification' - 'justification_salt' - 'justification_redacted_at' then
        raise exception 'only the justification of a finished request can be redacted, and only once' using errcode = 'LB001', constraint = 'requests_only_redacted';
    end if;
    return new;
end $$;

create trigger requests_guard_update before update on requests for each row
    when (new.justification_redacted_at is not distinct from old.justification_redacted_at) execute function requests_guard_update();
create trigger requests_guard_redaction before update on requests for each row
    when (new.justification_redacted_at is distinct from old.justification_redacted_at) execute function requests_guard_redaction();

create function history_is_kept() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: rows cannot be changed or deleted', tg_table_name using errcode = 'LB001', constraint = 'history_is_kept';
end $$;
create trigger requests_kept before delete on requests for each row execute function history_is_kept();
create trigger requests_kept_whole before truncate on requests execute function history_is_kept();

create function decisions_guard_redaction() returns trigger language plpgsql as $$
begin
    if new.comment is not null or new.comment_redacted_at is null or old.comment_redacted_at is not null
       or to_jsonb(new) - 'comment' - 'comment_redacted_at' <> to_jsonb(old) - 'comment' - 'comment_redacted_at'
       or not exists (select from requests where id = old.request and finished_at is not null) then
        raise exception 'only the comment of a decision can be redacted, and only after its request is finished' using errcode = 'LB001', constraint = 'decisions_only_redacted';
    end if;
    return new;
end $$;

create trigger decisions_kept before delete on decisions for each row execute function history_is_kept();
create trigger decisions_guard_redaction before update on decisions for each row execute function decisions_guard_redaction();
create trigger decisions_kept_whole before truncate on decisions execute function history_is_kept();

-- When each timer is due. A row exists exactly while its timer is armed.
create table timers (
    request    uuid not null references requests (id),
    kind       text not null constraint timers_kind_check check (kind in ('review_deadline', 'decision_deadline', 'reminder', 'grant_end', 'requester_disabled')),
    generation integer not null default 1,
    due_at     timestamptz not null,
    primary key (request, kind)
);
create index timers_due on timers (due_at);

-- Disabling a requester, in whatever way, withdraws pending requests and ends active access. The timer is armed in the
-- transaction that disables; the recovery scan of timers then runs the lifecycle.
create function people_end_requests() returns trigger language plpgsql as $$
begin
    -- Already due, with the delay after which the recovery scan looks at a timer: no message wakes a worker here.
    insert into timers (request, kind, due_at)
        select id, 'requester_disabled', clock_timestamp() - interval '2 seconds'
        from requests where requester = new.id and finished_at is null
        on conflict do nothing;
    return null;
end $$;
create trigger people_end_requests after update on people for each row
    when (old.enabled and not new.enabled) execute function people_end_requests();

-- A request that becomes active while its requester is being disabled waits for that transaction, and is then ended too.
create function requests_still_enabled() returns trigger language plpgsql as $$
begin
    if not (select enabled from people where id = new.requester for share) then
        insert into timers (request, kind, due_at)
            values (new.id, 'requester_disabled', clock_timestamp() - interval '2 seconds') on conflict do nothing;
    end if;
    return null;
end $$;
create trigger requests_still_enabled after update on requests for each row
    when (old.state is distinct from new.state and new.state = 'active') execute function requests_still_enabled();
