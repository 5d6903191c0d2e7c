-- The provisioning of each grant in its target system. The order to provision or to revoke is stored in the transaction that
-- activates or ends access, before a worker calls the target. What the target returned is stored afterwards.

create table provisionings (
    request         uuid primary key references requests (id),
    state           text not null constraint provisionings_state_check check (state in ('provisioning', 'active', 'revoking', 'revoked')),
    -- The connector that was called; null before the first attempt. Access is revoked with the connector that provisioned it,
    -- even if the configuration has changed.
    connector       text,
    until_at        timestamptz not null,
    -- When the next attempt is due. A worker moves this forward before its attempt, so that no other worker tries meanwhile;
    -- the claim of a dead worker expires by itself.
    next_try_at     timestamptz,
    -- Which attempt has the claim: a result that arrives after another worker took over is ignored.
    claim           uuid,
    -- A provisioning call may be in progress until this time; before it, access cannot count as revoked.
    opener          uuid,
    provisioning_until   timestamptz,
    failures        integer not null default 0,
    first_failed_at timestamptz,
    last_error      text,
    alarmed         boolean not null default false,
    provisioned_at       timestamptz,
    revocation_ordered_at      timestamptz,
    refused_from    timestamptz,
    cut_at          timestamptz,
    sessions_cut    bigint not null default 0,
    revoked_at       timestamptz,
    constraint provisionings_closed_check check (state <> 'revoked' or (revocation_ordered_at is not null and revoked_at is not null)),
    constraint provisionings_watched_check check ((state = 'revoked') = (next_try_at is null))
);
create index provisionings_due on provisionings (next_try_at) where next_try_at is not null;
create index provisionings_closing on provisionings (revocation_ordered_at) where state = 'revoking';

create table legal_provisioning_moves (
    from_state text not null,
    to_state   text not null,
    primary key (from_state, to_state)
);
insert into legal_provisioning_moves values
    ('provisioning', 'active'),
    ('provisioning', 'revoking'), -- access may exist although no attempt confirmed it
    ('active', 'provisioning'), -- the target lost the access
    ('active', 'revoking'),
    ('revoking', 'revoked');

create function provisionings_guard() returns trigger language plpgsql as $$
begin
    if new.state <> old.state
       and not exists (select from legal_provisioning_moves where from_state = old.state and to_state = new.state) then
        raise exception 'a provisioning cannot change from % to %', old.state, new.state using errcode = 'LB001', constraint = 'provisionings_legal_move';
    end if;
    if new.state = 'revoked' and old.state <> 'revoked' and new.provisioning_until > clock_timestamp() then
        raise exception 'a provisioning call may be in progress' using errcode = 'LB001', constraint = 'provisionings_opening';
    end if;
    if new.until_at > old.until_at or new.request <> old.request then
        raise exception 'the end of access can only become earlier' using errcode = 'LB001', constraint = 'provisionings_until';
    end if;
    if old.state = 'revoked' and (new.revoked_at, new.revocation_ordered_at, new.refused_from, new.cut_at, new.sessions_cut)
       is distinct from (old.revoked_at, old.revocation_ordered_at, old.refused_from, old.cut_at, old.sessions_cut) then
        raise exception 'a receipt cannot change' using errcode = 'LB001', constraint = 'provisionings_receipt';
    end if;
    return new;
end $$;
create trigger provisionings_guard before update on provisionings for each row execute function provisionings_guard();
create trigger provisionings_kept before delete on provisionings for each row execute function history_is_kept();
create trigger provisionings_kept_whole before truncate on provisionings execute function history_is_kept();

-- An activated grant orders provisioning at its start, an ended one orders revocation immediately. Revocation has no conditions.
create function requests_provisioning() returns trigger language plpgsql as $$
begin
    if new.state = 'active' then
        insert into provisionings (request, state, until_at, next_try_at) values (new.id, 'provisioning', new.access_until, new.access_from);
    else
        update provisionings set state = 'revoking', until_at = least(until_at, new.access_until), revocation_ordered_at = clock_timestamp(),
            refused_from = new.access_until, next_try_at = clock_timestamp(), claim = null, failures = 0,
            first_failed_at = null, last_error = null
        where request = new.id and state in ('provisioning', 'active');
    end if;
    return null;
end $$;
create trigger requests_provisioning after update on requests for each row
    when (new.state is distinct from old.state and new.state in ('active', 'ended')) execute function requests_provisioning();

-- The access token that a requester presents at the gate. One per grant: a new one replaces the old one. Only its hash is
-- stored, so reading this table gives no access.
create table access_tokens (
    request     uuid primary key references requests (id),
    token_hash bytea not null constraint access_tokens_hash_key unique,
    person      uuid not null references people (id),
    issued_at   timestamptz not null default clock_timestamp(),
    constraint access_tokens_hash_check check (octet_length(token_hash) = 32)
);
