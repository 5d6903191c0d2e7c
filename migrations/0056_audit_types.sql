-- Searches by type, and the first page's look for mails that came back, walked the whole log when the type was a rare one.
create index audit_events_type on audit_events (type, at);
