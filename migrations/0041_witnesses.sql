-- A tenant may ask that access opens only when both yeses are proved: in its log, under a signed checkpoint, and under as
-- many witnesses' signatures as it wants. Then even the vendor's own database cannot open a door that the log does not show.

-- Null: no proof is asked for. 0: the log's own signature is enough.
alter table tenants add column witnesses_required integer
    constraint tenants_witnesses_required_check check (witnesses_required between 0 and 10);

create table witnesses (
    tenant uuid not null references tenants (id),
    name   text not null,
    url    text not null,
    -- Its public key: name+id+key.
    key    text not null,
    primary key (tenant, name)
);

-- Steps are in the log in their order: where access.granted is, both yeses stand before it.
create function access_is_proved(asked uuid) returns boolean language sql stable security definer set search_path from current as $$
    select exists (
        select from requests r join tenants t on t.id = r.tenant
        where r.id = asked and (
            t.witnesses_required is null
            or exists (
                select from audit_events a join audit_entries e on e.event = a.id
                where a.request = r.id and a.type = 'access.granted' and (
                    (t.witnesses_required = 0
                     and exists (select from audit_checkpoints c where c.log = e.log and c.size > e.index))
                    or (t.witnesses_required > 0 and exists (
                        select from audit_cosignatures s join witnesses w on w.tenant = t.id and w.name = s.witness
                        where s.log = e.log and s.size > e.index
                        group by s.size having count(*) >= t.witnesses_required))
                )
            )
        )
    )
$$;
