with schemas as (
    select n.oid, n.nspname, n.nspname = $2 as is_ordered
    from pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege($1, n.oid, 'USAGE')
), tables as (
    select c.oid, s.is_ordered, format('%I.%I', s.nspname, c.relname) as name
    from pg_class c join schemas s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
), said as (
    select 1 as kind, format('connect to the database %I', datname) as can
    from pg_database
    where datallowconn and datname <> current_database() and has_database_privilege($1, oid, 'CONNECT')
    union all
    select 2, format('create objects in the schema %I', nspname) from schemas where has_schema_privilege($1, oid, 'CREATE')
    union all
    select 3, 'change ' || name from tables
    where not (is_ordered and $3) and has_table_privilege($1, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    union all
    select 4, 'read ' || name from tables
    where not is_ordered and has_table_privilege($1, oid, 'SELECT')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = tables.oid and d.deptype = 'e')
    union all
    select 5, format('run %I.%I(%s) with the rights of %I', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid), o.rolname)
    from pg_proc p join schemas s on s.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
    where p.prosecdef and o.rolname <> $1 and has_function_privilege($1, p.oid, 'EXECUTE')
    union all
    select 6, format('act as the role %I', g.rolname)
    from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles r on r.oid = m.member
    where r.rolname = $1
), numbered as (
    select kind, can, row_number() over (partition by kind order by can) as number from said
)
select can from numbered where number <= $4 order by kind, can
