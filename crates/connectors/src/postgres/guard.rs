//! The guard in a target: a statement that runs in the target's own server, looks every second whether a session of ours
//! goes on beyond its role's end or in another database than its own, and cuts it, also a busy one.
//!
//! It needs nobody at the other end of its connection: the server goes on with a statement whose client is gone. One
//! guards a database for each of the connector's logins, held apart by an advisory lock; it leaves when no role of ours
//! lets anybody in any more. A server that is started anew has no guard and no session either.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection};

use super::statements::{DATABASE, ROLES, fault};
use crate::order::Fault;

/// How long a guard may take to be at its post.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a new guard is waited for before somebody looks whether it stands.
const GLANCE: Duration = Duration::from_millis(50);

/// Who holds the lock that keeps guards apart: `lock` as a number, and the connector's login.
const HOLDERS: &str = "select a.pid, a.usename::text, a.usename = session_user, a.usename ~ $1 from pg_locks l \
                       join pg_database d on d.oid = l.database join pg_stat_activity a on a.pid = l.pid \
                       where l.locktype = 'advisory' and d.datname = current_database() and l.granted \
                       and l.classid = 1819239275 and l.objid = (select oid from pg_roles where rolname = session_user)";

/// It commits at each turn, so that it holds no old picture of the data back from being cleaned up. It looks once more
/// after letting go of the lock: a role that came meanwhile found it held and set no guard of its own.
///
/// A login that is no superuser may only cut sessions of roles whose rights it has.
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

/// Whether a guard stands. A session of an engineer that holds its lock is cut; that of anybody else is a fault.
async fn stands(pool: &PgPool) -> Result<bool, Fault> {
    let asking = sqlx::query_as(HOLDERS).bind(ROLES).fetch_all(pool);
    let holders: Vec<(i32, String, bool, bool)> = asking.await.map_err(fault)?;
    for (pid, login, is_guard, is_engineer) in &holders {
        if *is_engineer {
            tracing::warn!(login, "an engineer's session held the lock of the guard; it is cut");
            let cut = sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(pool);
            cut.await.map_err(fault)?;
        } else if !is_guard {
            return Err(Fault::Permanent(format!("the lock of the guard is held by a session of {login}; end it")));
        }
    }
    Ok(holders.iter().any(|(_, _, is_guard, _)| *is_guard))
}

/// Sets a guard where none stands.
pub(super) async fn set(pool: &PgPool) -> Result<(), Fault> {
    let statement = GUARD.replace("ROLES", ROLES).replace("DATABASE", DATABASE);
    let setting = async {
        while !stands(pool).await? {
            let options = pool.connect_options().as_ref().clone().application_name("lockbox guard");
            // Nothing of the target's may end it early: neither a limit nor that nobody listens.
            let options = options.options([("statement_timeout", "0"), ("client_connection_check_interval", "0")]);
            let mut connection = PgConnection::connect_with(&options).await.map_err(fault)?;
            // It does not answer while it stands; whoever else was first makes it answer at once.
            let guarding = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut connection);
            if let Ok(answered) = tokio::time::timeout(GLANCE, guarding).await {
                answered.map_err(fault)?;
                tokio::time::sleep(GLANCE).await;
            }
        }
        Ok(())
    };
    let late = || Fault::Transient(format!("no guard stood in the target database after {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, setting).await.map_err(|_| late())?
}
