select asked.place, clock_timestamp() as now, own.*
    from unnest($1::bytea[]) with ordinality as asked(token_hash, place)
    left join lateral (
    select h.request, r.service_request, t.name as tenant, r.service, r.resource, r.content, r.access_until, h.person,
    p.name, p.display_name, is_founded(t.id) as is_founded,
    r.requester = h.person and p.enabled and p.tenant is null and t.enabled
    and r.state = 'active' and r.access_from <= clock_timestamp() and clock_timestamp() < r.access_until
    and exists (select from assignments a where a.person = h.person and a.role = 'engineer'
    and (a.service is null or a.service = r.service))
    and (t.witnesses_required is null or access_is_proved(r.id)) as is_open
    from access_tokens h join requests r on r.id = h.request join people p on p.id = h.person
    join tenants t on t.id = r.tenant where h.token_hash = asked.token_hash) own on true
