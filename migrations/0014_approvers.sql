-- Who decides for a tenant, as its approvers set it in the portal: groups, and people or groups per service. The roles
-- that follow stand in `assignments` as before; this is what they were made from.

alter table tenants
    add column deciders jsonb,
    -- From the first change in the portal on, `lockbox apply` leaves a tenant's approvers alone.
    add column deciders_by text not null default 'operator'
        constraint tenants_deciders_by_check check (deciders_by in ('operator', 'customer'));
