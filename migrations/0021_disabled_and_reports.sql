-- A disabled engineer: pending requests are withdrawn and open access is ended, whoever disables and however. The timer is
-- armed in the transaction that disables; the lifecycle does the rest through its sweep.

alter table timers drop constraint timers_kind_check;
alter table timers add constraint timers_kind_check
    check (kind in ('review_deadline', 'decision_deadline', 'reminder', 'access_end', 'requester_disabled'));

create function people_take_back() returns trigger language plpgsql as $$
begin
    -- Overdue at once, by as much as the sweep of timers leaves to hints: nobody hints here.
    insert into timers (request, kind, due_at)
        select id, 'requester_disabled', clock_timestamp() - interval '2 seconds'
        from requests where requester = new.id and over_at is null
        on conflict do nothing;
    return null;
end $$;
create trigger people_take_back after update on people for each row
    when (old.enabled and not new.enabled) execute function people_take_back();

create index requests_requester_open on requests (requester) where over_at is null;

-- A request that is granted while its engineer is being disabled waits for that, and is ended like the others.
create function requests_still_enabled() returns trigger language plpgsql as $$
begin
    if not (select enabled from people where id = new.requester for share) then
        insert into timers (request, kind, due_at)
            values (new.id, 'requester_disabled', clock_timestamp() - interval '2 seconds') on conflict do nothing;
    end if;
    return null;
end $$;
create trigger requests_still_enabled after update on requests for each row
    when (old.state is distinct from new.state and new.state = 'granted') execute function requests_still_enabled();

-- The customer's word on the closing report is a step that leaves a request ended.
insert into legal_moves values ('ended', 'ended');
