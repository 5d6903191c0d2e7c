select case when w.level = 0 then (select string_agg(e.leaf, ''::bytea order by e.index) from audit_entries e
        where e.log = $1 and e.index >= w.first and e.index < w.last)
    else (select string_agg(n.hash, ''::bytea order by n.index) from audit_nodes n
        where n.log = $1 and n.level = w.level and n.index >= w.first and n.index < w.last) end as hashes
from unnest($2::smallint[], $3::bigint[], $4::bigint[]) with ordinality as w(level, first, last, place)
order by w.place
