with ready as (select w.id, w.paused_until is not null as trial,
    case when w.paused_until is null then w.slots else 1 end - (select count(*) from webhook_deliveries c
    where c.webhook = w.id and c.claimed_until > clock_timestamp()) as slots from webhooks w
    where w.off_at is null and (w.paused_until is null or w.paused_until <= clock_timestamp())
    and exists (select from webhook_deliveries q where q.webhook = w.id and q.failed_at is null
    and q.due_at <= clock_timestamp() and (q.claimed_until is null or q.claimed_until <= clock_timestamp()))
    for update of w skip locked),
    due as (select d.webhook, d.event from ready r cross join lateral (
    (select webhook, event, due_at from webhook_deliveries where not r.trial and webhook = r.id
    and failed_at is null and due_at <= clock_timestamp()
    and (claimed_until is null or claimed_until <= clock_timestamp())
    order by due_at, event limit greatest(r.slots, 0)) union all
    (select webhook, event, due_at from webhook_deliveries where r.trial and webhook = r.id
    and failed_at is null and due_at <= clock_timestamp()
    and (claimed_until is null or claimed_until <= clock_timestamp())
    order by attempt, due_at, event limit greatest(r.slots, 0))) d order by d.due_at limit $1)
    update webhook_deliveries d set claimed_until = clock_timestamp() + make_interval(secs => $2)
    from due, webhooks w, audit_events e
    where d.webhook = due.webhook and d.event = due.event and w.id = d.webhook and e.id = d.event
    and d.failed_at is null and (d.claimed_until is null or d.claimed_until <= clock_timestamp())
    returning d.webhook, d.event, e.type, d.attempt, d.tries, w.url, w.secret,
    case when w.secret_before_until > clock_timestamp() then w.secret_before end as secret_before,
    e.body, w.failures, w.failing_since, clock_timestamp() as now
