select r.id, r.state, r.version, r.digest, sha256(r.content) as content_digest, r.requester,
    r.manager, r.review_deadline, r.decision_deadline, r.access_from, r.access_until, r.cause, r.finished_at,
    coalesce(d.people, '{}') as approver_ids, coalesce(d.seconds, '{}') as approved_seconds,
    (select count(*) from outbox o where o.request = r.id and o.consumer = 'audit')
    + (select count(*) from audit_staged s where s.request = r.id and s.version is not null) as pending
    from requests r join tenants t on t.id = r.tenant
    left join lateral (select array_agg(person) as people,
    array_agg(coalesce(duration_seconds, r.duration_seconds)) as seconds from decisions d
    where d.request = r.id and d.stage = 'customer' and d.verdict = 'approve') d on true
    where t.name = $1 and r.id > $2 and not exists (select from audit_entries e
    join audit_archives a on a.log = e.log and a.cut > e.index where e.request = r.id
    and e.version is not null) order by r.id limit $3
