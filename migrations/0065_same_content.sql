-- When access ends, everybody is told whether other access to the same content stays open. This is asked at each end, among
-- all grants of a tenant: addresses are compared without regard to case and to one slash at the end.
create index requests_same_content on requests (tenant, service, lower(rtrim(resource, '/'))) where state = 'granted';
