-- All events of one request, for its page: the partial index before served only those without a version.
drop index audit_events_request;
create index audit_events_request on audit_events (request, at, id) where request is not null;
