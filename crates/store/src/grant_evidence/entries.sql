with log as (
    select id, origin from audit_logs where tenant = $1
), steps as (
    select e.index, e.seq, e.prev, e.v, a.type, a.body
    from log join audit_entries e on e.log = log.id join audit_events a on a.id = e.event and a.at = e.at
    where e.request = $2 and e.version is not null
), activated as (
    select min(index) as index from steps where type = 'grant.activated'
), statements as (
    select e.index, e.seq, e.prev, e.v, a.type, a.body
    from log join audit_events a on a.tenant = $1 and a.type = 'authority.changed'
    join audit_entries e on e.event = a.id and e.log = log.id
), cosigned as (
    -- The signatures of witnesses arrive after the checkpoint. Of the last thousand, those count that most witnesses gave.
    select size from (
        select s.size from audit_cosignatures s join log on s.log = log.id, activated
        where s.size > activated.index order by s.size desc limit 1000
    ) s group by size order by count(*) desc, size desc limit 1
), checkpoint as (
    select c.size, c.note || coalesce((select string_agg(s.line || E'\n', '' order by s.witness)
        from audit_cosignatures s where s.log = c.log and s.size = c.size), '') as note
    from log join audit_checkpoints c on c.log = log.id
    where c.size = coalesce((select size from cosigned),
        (select max(l.size) from audit_checkpoints l where l.log = c.log))
)
select log.id as log, log.origin, checkpoint.size, checkpoint.note, x.type, x.index, x.seq, x.prev, x.v, x.body
from log cross join checkpoint cross join activated
cross join lateral (
    select * from statements union all select * from steps where steps.index <= activated.index
) x
where x.index < checkpoint.size and activated.index < checkpoint.size
order by x.index
