-- Processed messages (inbox), messages that must still arrive (outbox), and dead-letter messages.

create table inbox (
    consumer    text not null,
    -- From source and id of the message: a redelivery has the same key.
    key         uuid not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (consumer, key)
);
create index inbox_age on inbox using brin (received_at);

-- One row per message and role that must receive it. The relay publishes it. The row is deleted when that role has processed
-- the message in a transaction of its own. So a failed relay or a lost broker cannot lose a message: a row that is still
-- here after a while is published again.
create table outbox (
    message_id    uuid not null,
    consumer      text not null,
    kind          text not null,
    request       uuid,
    traceparent   text,
    body          bytea not null,
    attempt       integer not null default 0,
    recoveries        integer not null default 0,
    publish_after timestamptz not null default clock_timestamp() + interval '2 seconds',
    created_at    timestamptz not null default clock_timestamp(),
    last_error    text,
    -- The consumer scheduled a retry for this time, such as for a mail that the mail server did not accept. Null: the
    -- message waits for its consumer.
    retry_at      timestamptz,
    primary key (message_id, consumer)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000);
create index outbox_due on outbox (publish_after);

create table dead_letters (
    id          uuid primary key,
    dead_lettered_at   timestamptz not null default clock_timestamp(),
    reason      text not null,
    detail      text not null,
    queue       text not null,
    exchange    text not null,
    routing_key text not null,
    message_id  text,
    message_type text,
    login       text,
    -- The exact bytes, for replay. Of a message over the size limit only the first 64 KiB are stored; it cannot be replayed.
    body        bytea not null,
    size_bytes  bigint not null,
    status      text not null default 'dead_lettered' constraint dead_letter_status_check check (status in ('dead_lettered', 'replayed', 'discarded')),
    resolved_at timestamptz,
    resolved_by text,
    note        text,
    redacted_at   timestamptz
);
create index dead_letter_open on dead_letters (dead_lettered_at) where status = 'dead_lettered';

-- How many mails each address was sent in which hour, so that many requests or comments cannot flood a mailbox.
create table mail_counts (
    address text not null,
    hour    timestamptz not null,
    mails   integer not null,
    primary key (address, hour)
);
