-- Rights as groups for logins (`grant lockbox_worker to …`). The login that migrates owns everything and is not used by
-- services. No group may update, delete or truncate an event, an entry, a node, a checkpoint or a key of a log.
-- Safe to repeat, and to be run after each migration: new tables get their rights here.

do $$
declare
    role_name text;
    table_name text;
begin
    -- Roles belong to the whole server, where several databases may share them.
    foreach role_name in array array['lockbox_reader', 'lockbox_worker', 'lockbox_sequencer', 'lockbox_signer', 'lockbox_operator'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
        execute format('grant usage on schema %I to %I', current_schema(), role_name);
        execute format('grant select on all tables in schema %I to %I', current_schema(), role_name);
    end loop;
    for table_name in
        select c.relname from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname not like 'audit\_%' and c.relname not in ('texts', '_sqlx_migrations')
    loop
        execute format('grant insert, update, delete on %I to lockbox_worker', table_name);
    end loop;
end $$;

-- Records events, and stores the texts of requests.
grant insert on audit_events, audit_staged, texts to lockbox_worker;

-- Assigns positions.
grant insert on audit_events, audit_staged, audit_logs, audit_entries, audit_nodes, audit_streams, audit_quarantine to lockbox_sequencer;
grant update (size, root, heartbeat_at) on audit_logs to lockbox_sequencer;
grant update (seq, version, leaf) on audit_streams to lockbox_sequencer;
grant update (look_after), delete on audit_staged to lockbox_sequencer;
grant update (publish_after) on outbox to lockbox_sequencer;

-- Signs, and stores the signatures of witnesses.
grant insert on audit_events, audit_staged, audit_checkpoints, audit_keys, audit_cosignatures to lockbox_signer;

-- Forwards entries.
grant insert on audit_forwards to lockbox_operator;
grant update (next, moved_at) on audit_forwards to lockbox_operator;

-- Redacts texts, and records that.
grant update (text, salt, redacted_at) on texts to lockbox_operator;
grant update (justification, justification_salt, justification_redacted_at) on requests to lockbox_operator;
grant update (comment, comment_redacted_at) on decisions to lockbox_operator;
grant update (body, detail, note, redacted_at) on dead_letters to lockbox_operator;
grant insert on audit_events, audit_staged to lockbox_operator;
