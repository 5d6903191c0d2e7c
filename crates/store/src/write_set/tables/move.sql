update requests r set state = m.state, version = m.version,
    manager = coalesce(m.manager, r.manager), decision_deadline = coalesce(m.decision_deadline, r.decision_deadline),
    access_from = coalesce(m.access_from, r.access_from),
    access_until = case when m.state = 'ended' then least(r.access_until, clock_timestamp())
    else coalesce(m.access_until, r.access_until) end,
    cause = coalesce(m.cause, r.cause),
    finished_at = case when m.over then coalesce(r.finished_at, clock_timestamp()) end
    from unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::text[], $9::bool[])
    as m(id, state, version, manager, decision_deadline, access_from, access_until, cause, over)
    where r.id = m.id and r.version < m.version
