-- Erasing what a person wrote reaches every table that holds it: the reason in a request's content, the comments of
-- decisions, and messages given up on. Only of requests that are over: a running one is decided by what its deciders are
-- shown. The digest stays as it was: it goes on to commit to the content as it was decided on.

alter table requests
    add column content_erased_at timestamptz,
    drop constraint requests_digest_check,
    add constraint requests_digest_check check (content_erased_at is not null or digest = sha256(content));
alter table decisions add column comment_erased_at timestamptz;
alter table parked_messages add column erased_at timestamptz;

create function requests_guard_erasure() returns trigger language plpgsql as $$
begin
    if old.content_erased_at is not null or old.over_at is null
       or to_jsonb(new) - 'content' - 'content_erased_at' <> to_jsonb(old) - 'content' - 'content_erased_at'
       or convert_from(new.content, 'UTF8')::jsonb - 'reason' <> convert_from(old.content, 'UTF8')::jsonb - 'reason' then
        raise exception 'only the reason of a request that is over is erased, once' using errcode = 'LB001', constraint = 'requests_only_erased';
    end if;
    return new;
end $$;
drop trigger requests_guard_update on requests;
create trigger requests_guard_update before update on requests for each row
    when (new.content_erased_at is not distinct from old.content_erased_at) execute function requests_guard_update();
create trigger requests_guard_erasure before update on requests for each row
    when (new.content_erased_at is distinct from old.content_erased_at) execute function requests_guard_erasure();

create function decisions_guard_erasure() returns trigger language plpgsql as $$
begin
    if new.comment is not null or new.comment_erased_at is null or old.comment_erased_at is not null
       or to_jsonb(new) - 'comment' - 'comment_erased_at' <> to_jsonb(old) - 'comment' - 'comment_erased_at'
       or not exists (select from requests where id = old.request and over_at is not null) then
        raise exception 'only the comment of a decision is erased, when its request is over' using errcode = 'LB001', constraint = 'decisions_only_erased';
    end if;
    return new;
end $$;
drop trigger decisions_kept on decisions;
create trigger decisions_kept before delete on decisions for each row execute function history_is_kept();
create trigger decisions_guard_erasure before update on decisions for each row execute function decisions_guard_erasure();
