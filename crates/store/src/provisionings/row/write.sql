update provisionings d set state = w.state, connector = w.connector, next_try_at = w.next_try_at, claim = w.claim,
    opener = w.opener, provisioning_until = w.provisioning_until, failures = w.failures,
    first_failed_at = w.first_failed_at, last_error = w.last_error, alarmed = w.alarmed,
    provisioned_at = w.provisioned_at, revocation_ordered_at = w.revocation_ordered_at, refused_from = w.refused_from, cut_at = w.cut_at,
    sessions_cut = w.sessions_cut, revoked_at = w.revoked_at
    from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::uuid[],
    $7::timestamptz[], $8::int[], $9::timestamptz[], $10::text[], $11::bool[], $12::timestamptz[],
    $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::bigint[], $17::timestamptz[])
    as w(request, state, connector, next_try_at, claim, opener, provisioning_until, failures, first_failed_at,
    last_error, alarmed, provisioned_at, revocation_ordered_at, refused_from, cut_at, sessions_cut, revoked_at)
    where d.request = w.request
