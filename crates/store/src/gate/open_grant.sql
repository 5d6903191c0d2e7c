select clock_timestamp() as now, r.id as request, r.service_request, t.name as tenant, r.service, r.resource, r.content, r.access_until,
    r.requester as person, p.name, p.display_name, is_founded(t.id) as is_founded, true as is_open
    from requests r join people p on p.id = r.requester join tenants t on t.id = r.tenant
    where r.id = $1 and r.state = 'active' and p.enabled and t.enabled
    and r.access_from <= clock_timestamp() and clock_timestamp() < r.access_until
    and (t.witnesses_required is null or access_is_proved(r.id))
