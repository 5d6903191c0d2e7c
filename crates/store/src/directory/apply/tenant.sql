insert into tenants (id, name, display_name, enabled, notification_recipients, review_deadline_seconds,
    decision_deadline_seconds, access_default_seconds, access_ceiling_seconds, required_approvals,
    comment_required, passkey_required, reminders_seconds, public_log)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    on conflict (name) do update set display_name = excluded.display_name,
    enabled = excluded.enabled, public_log = excluded.public_log, notification_recipients = case when tenants.settings_owner = 'customer' then tenants.notification_recipients else excluded.notification_recipients end,
    review_deadline_seconds = excluded.review_deadline_seconds,
    decision_deadline_seconds = case when tenants.settings_owner = 'customer' then tenants.decision_deadline_seconds else excluded.decision_deadline_seconds end,
    access_default_seconds = case when tenants.settings_owner = 'customer' then tenants.access_default_seconds else excluded.access_default_seconds end,
    access_ceiling_seconds = case when tenants.settings_owner = 'customer' then tenants.access_ceiling_seconds else excluded.access_ceiling_seconds end,
    required_approvals = case when tenants.settings_owner = 'customer' then tenants.required_approvals else excluded.required_approvals end,
    comment_required = case when tenants.settings_owner = 'customer' then tenants.comment_required else excluded.comment_required end,
    passkey_required = case when tenants.settings_owner = 'customer' then tenants.passkey_required else excluded.passkey_required end, reminders_seconds = case when tenants.settings_owner = 'customer' then tenants.reminders_seconds else excluded.reminders_seconds end
    returning to_jsonb(tenants)
