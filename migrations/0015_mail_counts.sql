-- A flood of requests or comments must not flood a mailbox: how many mails each address was sent in which hour.
create table mail_counts (
    address text not null,
    hour    timestamptz not null,
    mails   integer not null,
    primary key (address, hour)
);
