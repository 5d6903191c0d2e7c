-- Who a person is at the identity provider. Linked once, by a verified address that the directory knows; afterwards
-- only issuer and subject count, so that an address that changes hands opens nothing.

create table identities (
    issuer    text not null,
    subject   text not null,
    person    uuid not null references people (id),
    linked_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject),
    -- One identity per person and issuer: a second one is a matter for an administrator.
    constraint identities_person unique (issuer, person)
);

-- Sign-ins under way, until the provider sends the person back.
create table sign_ins (
    -- SHA-256 of the state, which the browser holds in a cookie too.
    state_hash bytea primary key,
    nonce      text not null,
    verifier   text not null,
    next       text not null,
    begun_at   timestamptz not null default clock_timestamp()
);
