with numbered as (select n, clock_timestamp() - ($6::bigint - n) * interval '200 milliseconds' as at
    from generate_series($4::bigint, $5::bigint) n),
    dated as (select n, date_trunc('milliseconds', at) + interval '1 microsecond' as at, md5($1::int || '/' || n) as noise,
    lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') as millis from numbered),
    named as (select n, at, (millis || '7' || substr(noise, 1, 3) || '8' || substr(noise, 4, 15))::uuid as id,
    (millis || '7' || substr(noise, 20, 3) || '9' || substr(noise, 5, 15))::uuid as request from dated),
    made as materialized (select n, at, id, request, replace(replace(replace($7, $8, id::text), $9, request::text),
    $10, to_char(at, 'YYYY-MM-DD') || 'T' || to_char(at, 'HH24:MI:SS.US') || 'Z') as body from named),
    hashed as materialized (select *, sha256(decode('00', 'hex') || convert_to($11 || body || $3, 'UTF8')) as leaf from made),
    events as (insert into audit_events (id, at, type, tenant, request, service_request, cause, text, body)
    select id, at, 'notification.sent', $2, request, 'SR-2026-004711', request::text, 'alex@contoso.example',
    convert_to(body, 'UTF8') from hashed),
    entries as (insert into audit_entries (log, index, event, at, request, seq, prev, leaf, v)
    select $1, n, id, at, request, 1, decode(repeat('00', 32), 'hex'), leaf, 1 from hashed),
    streams as (insert into audit_streams (log, stream, seq, version, leaf)
    select $1, request, 1, 0, leaf from hashed)
    select leaf from hashed order by n
