//! The guard in a target: a statement that runs in the target's own server. Every second it ends the sessions of our roles,
//! idle or busy, that have expired or are in another database than their own.
//!
//! It needs no client: the server continues a statement whose client has disconnected. An advisory lock allows one guard per
//! database and connector login. The guard ends when none of our roles gives access. A restarted server has neither a guard nor
//! sessions.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection};

use super::statements::{DATABASE, ROLES, fault};
use crate::order::Fault;

/// Time limit for starting a guard.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause before the check whether a new guard runs.
const CHECK_PAUSE: Duration = Duration::from_millis(50);

/// The sessions with the guard's advisory lock, which consists of `lock` as a number and the connector's login.
const HOLDERS: &str = "select a.pid, a.usename::text, a.usename = session_user, a.usename ~ $1 from pg_locks l \
                       join pg_database d on d.oid = l.database join pg_stat_activity a on a.pid = l.pid \
                       where l.locktype = 'advisory' and d.datname = current_database() and l.granted \
                       and l.classid = 1819239275 and l.objid = (select oid from pg_roles where rolname = session_user)";

/// The guard's statement. It commits in every round, so that its snapshot does not block vacuum. It checks once more after it
/// released the lock, because a role that was created just before found the lock taken and started no guard.
///
/// Without superuser rights, a login can only end sessions of roles whose rights it has.
const GUARD: &str = "do $guard$
declare
    wait interval;
    login int := (select oid from pg_roles where rolname = session_user);
    here text := 'DATABASE' || quote_ident(current_database());
begin
    while exists (select from pg_roles r where r.rolname ~ 'ROLES' and pg_has_role(session_user, r.oid, 'USAGE')
                  and (r.rolcanlogin or exists (select from pg_stat_activity a where a.usename = r.rolname)))
          and pg_try_advisory_lock(1819239275, login) loop
        loop
            begin
                perform pg_terminate_backend(a.pid) from pg_stat_activity a join pg_roles r on r.rolname = a.usename
                    where r.rolname ~ 'ROLES' and pg_has_role(session_user, r.oid, 'USAGE')
                      and (r.rolvaliduntil <= clock_timestamp() or not r.rolcanlogin
                           or (a.datname <> current_database() and shobj_description(r.oid, 'pg_authid') = here));
            exception when others then null;
            end;
            select least(interval '1 second', min(rolvaliduntil) filter (where rolvaliduntil > clock_timestamp()) - clock_timestamp())
                into wait from pg_roles r where r.rolname ~ 'ROLES' and pg_has_role(session_user, r.oid, 'USAGE')
                and (r.rolcanlogin or exists (select from pg_stat_activity a where a.usename = r.rolname)) having count(*) > 0;
            exit when not found;
            commit;
            perform pg_sleep_for(greatest(coalesce(wait, interval '1 second'), interval '10 milliseconds'));
            commit;
        end loop;
        perform pg_advisory_unlock(1819239275, login);
        commit;
    end loop;
end $guard$";

/// Whether a guard runs. An engineer's session that has the guard's lock is ended; any other session with it is a fault.
async fn is_running(pool: &PgPool) -> Result<bool, Fault> {
    let asking = sqlx::query_as(HOLDERS).bind(ROLES).fetch_all(pool);
    let holders: Vec<(i32, String, bool, bool)> = asking.await.map_err(fault)?;
    for (pid, login, is_guard, is_engineer) in &holders {
        if *is_engineer {
            tracing::warn!(login, "an engineer's session had the lock of the guard and was ended");
            let cut = sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(pool);
            cut.await.map_err(fault)?;
        } else if !is_guard {
            return Err(Fault::Permanent(format!("a session of {login} has the lock of the guard; end that session")));
        }
    }
    Ok(holders.iter().any(|(_, _, is_guard, _)| *is_guard))
}

/// Starts a guard when none runs.
pub(super) async fn ensure(pool: &PgPool) -> Result<(), Fault> {
    let statement = GUARD.replace("ROLES", ROLES).replace("DATABASE", DATABASE);
    let setting = async {
        while !is_running(pool).await? {
            let options = pool.connect_options().as_ref().clone().application_name("lockbox guard");
            // No setting of the target must end the guard early: neither a time limit nor the check for a client.
            let options = options.options([("statement_timeout", "0"), ("client_connection_check_interval", "0")]);
            let mut connection = PgConnection::connect_with(&options).await.map_err(fault)?;
            // The statement does not return while the guard runs. It returns at once when another guard was first.
            let guarding = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut connection);
            if let Ok(answered) = tokio::time::timeout(CHECK_PAUSE, guarding).await {
                answered.map_err(fault)?;
                tokio::time::sleep(CHECK_PAUSE).await;
            }
        }
        Ok(())
    };
    let late =
        || Fault::Transient(format!("no guard was running in the target database after {} s", START_LIMIT.as_secs()));
    tokio::time::timeout(START_LIMIT, setting).await.map_err(|_| late())?
}
