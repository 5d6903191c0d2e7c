-- The door of each grant in its target system, beside the request: the order to open or close is stored in the
-- transaction that grants or ends, before anybody calls the target, and what the target said is stored after.

create table doors (
    request         uuid primary key references requests (id),
    state           text not null constraint doors_state_check check (state in ('opening', 'open', 'closing', 'closed')),
    -- Which connector was told; none before the first try. A door is closed where it was opened, whatever the
    -- configuration says by then.
    connector       text,
    until_at        timestamptz not null,
    -- When somebody is to look at it next. Whoever looks moves it on first, so that nobody else looks meanwhile; a dead
    -- worker's look ends by itself.
    next_try_at     timestamptz,
    -- Whose look it is: an answer that comes after somebody else took over is not believed.
    claim           uuid,
    -- A call that opens may be under way until then: before that nothing counts as closed.
    opener          uuid,
    opening_until   timestamptz,
    failures        integer not null default 0,
    first_failed_at timestamptz,
    last_error      text,
    alarmed         boolean not null default false,
    opened_at       timestamptz,
    ordered_at      timestamptz,
    refused_from    timestamptz,
    cut_at          timestamptz,
    sessions_cut    bigint not null default 0,
    closed_at       timestamptz,
    constraint doors_closed_check check (state <> 'closed' or (ordered_at is not null and closed_at is not null)),
    constraint doors_watched_check check ((state = 'closed') = (next_try_at is null))
);
create index doors_due on doors (next_try_at) where next_try_at is not null;
create index doors_closing on doors (ordered_at) where state = 'closing';

create table legal_door_moves (
    from_state text not null,
    to_state   text not null,
    primary key (from_state, to_state)
);
insert into legal_door_moves values
    ('opening', 'open'),
    ('opening', 'closing'), -- it may stand open although nobody saw it
    ('open', 'opening'), -- the target lost it
    ('open', 'closing'),
    ('closing', 'closed');

create function doors_guard() returns trigger language plpgsql as $$
begin
    if new.state <> old.state
       and not exists (select from legal_door_moves where from_state = old.state and to_state = new.state) then
        raise exception 'no door moves from % to %', old.state, new.state using errcode = 'LB001', constraint = 'doors_legal_move';
    end if;
    if new.state = 'closed' and old.state <> 'closed' and new.opening_until > clock_timestamp() then
        raise exception 'a call that opens may be under way' using errcode = 'LB001', constraint = 'doors_opening';
    end if;
    if new.until_at > old.until_at or new.request <> old.request then
        raise exception 'the end of access only moves earlier' using errcode = 'LB001', constraint = 'doors_until';
    end if;
    if old.state = 'closed' and (new.closed_at, new.ordered_at, new.refused_from, new.cut_at, new.sessions_cut)
       is distinct from (old.closed_at, old.ordered_at, old.refused_from, old.cut_at, old.sessions_cut) then
        raise exception 'a receipt never changes' using errcode = 'LB001', constraint = 'doors_receipt';
    end if;
    return new;
end $$;
create trigger doors_guard before update on doors for each row execute function doors_guard();
create trigger doors_kept before delete on doors for each row execute function history_is_kept();
create trigger doors_kept_whole before truncate on doors execute function history_is_kept();

-- Granting orders the door open at its time, ending orders it closed at once. Nothing is asked before closing.
create function requests_door() returns trigger language plpgsql as $$
begin
    if new.state = 'granted' then
        insert into doors (request, state, until_at, next_try_at) values (new.id, 'opening', new.access_until, new.access_from);
    else
        update doors set state = 'closing', until_at = least(until_at, new.access_until), ordered_at = clock_timestamp(),
            refused_from = new.access_until, next_try_at = clock_timestamp(), claim = null, failures = 0,
            first_failed_at = null, last_error = null
        where request = new.id and state in ('opening', 'open');
    end if;
    return null;
end $$;
create trigger requests_door after update on requests for each row
    when (new.state is distinct from old.state and new.state in ('granted', 'ended')) execute function requests_door();

-- What the engineer shows at the gate. One a grant: a new one replaces the old. Only its hash is stored, so reading this
-- table opens nothing.
create table grant_handles (
    request     uuid primary key references requests (id),
    handle_hash bytea not null constraint grant_handles_hash_key unique,
    person      uuid not null references people (id),
    issued_at   timestamptz not null default clock_timestamp(),
    constraint grant_handles_hash_check check (octet_length(handle_hash) = 32)
);
