//! The guard in a target: a statement that runs in the target's own server, looks every second whether a session of ours
//! goes on beyond its role's end, and cuts it, also a busy one.
//!
//! It needs nobody at the other end of its connection: the server goes on with a statement whose client is gone. One guards
//! a database, held apart by an advisory lock; it leaves when no role of ours has an end any more. A server that is started
//! anew has no guard and no session either.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};

/// How long a guard may take to be at its post.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a new guard is waited for before somebody looks whether it stands.
const GLANCE: Duration = Duration::from_millis(50);

/// The lock that holds guards apart: `lockbox` as a number.
const LOCK: &str = "select exists (select from pg_locks l join pg_database d on d.oid = l.database \
                    where l.locktype = 'advisory' and d.datname = current_database() and l.granted \
                    and l.classid = 1819239275 and l.objid = 1651472384)";

/// It commits at each turn, so that it holds no old picture of the data back from being cleaned up. It looks once more
/// after letting go of the lock: a role that came meanwhile found it held and set no guard of its own.
const GUARD: &str = "do $guard$
declare
    wait interval;
begin
    while exists (select from pg_roles where starts_with(rolname, 'lockbox_') and rolvaliduntil < 'infinity')
          and pg_try_advisory_lock(1819239275, 1651472384) loop
        loop
            perform pg_terminate_backend(a.pid) from pg_stat_activity a join pg_roles r on r.rolname = a.usename
                where starts_with(r.rolname, 'lockbox_') and r.rolvaliduntil <= clock_timestamp();
            select least(interval '1 second', min(rolvaliduntil) filter (where rolvaliduntil > clock_timestamp()) - clock_timestamp())
                into wait from pg_roles where starts_with(rolname, 'lockbox_') and rolvaliduntil < 'infinity' having count(*) > 0;
            exit when not found;
            commit;
            perform pg_sleep_for(greatest(coalesce(wait, interval '1 second'), interval '10 milliseconds'));
            commit;
        end loop;
        perform pg_advisory_unlock(1819239275, 1651472384);
        commit;
    end loop;
end $guard$";

async fn stands(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(LOCK).fetch_one(pool).await
}

/// Sets a guard where none stands.
pub(super) async fn set(pool: &PgPool) -> Result<(), sqlx::Error> {
    let setting = async {
        while !stands(pool).await? {
            let options = pool.connect_options().as_ref().clone().application_name("lockbox guard");
            // Nothing of the target's may end it early: neither a limit nor that nobody listens.
            let options = options.options([("statement_timeout", "0"), ("client_connection_check_interval", "0")]);
            let mut connection = PgConnection::connect_with(&options).await?;
            // It does not answer while it stands; whoever else was first makes it answer at once.
            let said = tokio::time::timeout(GLANCE, sqlx::raw_sql(GUARD).execute(&mut connection)).await;
            said.unwrap_or_else(|_| Ok(Default::default()))?;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, setting).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
