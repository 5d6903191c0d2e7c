//! Postgres in several versions, with a connector login that has `CREATEROLE` and no superuser rights: what it opens and closes,
//! and its errors.

use std::path::Path;
use std::time::Duration;

use connectors::{AccessLevel, Connector, Fault, Found, Order, Postgres};
use servers::postgres::Private;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::harness::{eventually, packages, progress};
use crate::target_postgres::{enter, order};
use crate::target_servers::{database, folder, prepare};

const SECRET: &[u8] = b"a secret of the connector";

/// Creates the connector's login as the owner of the schema `sales` and returns its URL.
async fn connector(url: &str, admin: &PgPool) -> String {
    sqlx::raw_sql(
        "create role conn login createrole password 'connector'; alter schema sales owner to conn; \
         alter table sales.orders owner to conn",
    )
    .execute(admin)
    .await
    .unwrap();
    url.replace("lockbox@", "conn:connector@")
}

/// Opens twice, ends sessions and closes twice, without superuser rights.
async fn opens_and_closes(url: &str, admin: &PgPool) {
    let version: String = sqlx::query_scalar("show server_version").fetch_one(admin).await.unwrap();
    let as_connector = connector(url, admin).await;
    let provisioning = Postgres::new(&as_connector, SECRET).unwrap();
    for access_level in [AccessLevel::ReadOnly, AccessLevel::ReadWrite] {
        let order = Order { access_level, ..order(600) };
        for _ in 0..2 {
            provisioning.open(&order).await.unwrap_or_else(|fault| panic!("{version}: {fault}"));
        }
        assert_eq!(
            (provisioning.probe(&order).await.unwrap(), provisioning.marked().await.unwrap()),
            (Found::Open, vec![order.grant])
        );
        let password = provisioning.password(order.grant);
        let mut session = enter(url, &order, &password).await.unwrap();
        let written = sqlx::raw_sql("insert into sales.orders values (2)").execute(&mut session).await.is_ok();
        assert_eq!(written, access_level == AccessLevel::ReadWrite, "{version}");
        assert_eq!(provisioning.terminate_sessions(&order).await.unwrap(), 1, "{version}");
        eventually("the session is cut", async || session.ping().await.err()).await;
        let mut session = enter(url, &order, &password).await.unwrap();
        sqlx::raw_sql("create temporary table notes (line text)").execute(&mut session).await.ok();
        provisioning.close(&order).await.unwrap_or_else(|fault| panic!("{version}: {fault}"));
        assert_eq!(provisioning.probe(&order).await.unwrap(), Found::Closed, "{version}: at once");
        assert!(session.ping().await.is_err() && enter(url, &order, &password).await.is_err());
        provisioning.close(&order).await.unwrap();
        assert!(provisioning.marked().await.unwrap().is_empty(), "{version}: the role is dropped");
    }
    // With nobody of ours there, the guard cuts a session at its end, with no more rights than the connector.
    let short = order(3);
    provisioning.open(&short).await.unwrap();
    let mut session = enter(url, &short, &provisioning.password(short.grant)).await.unwrap();
    drop(provisioning);
    eventually("the guard cuts it", async || session.ping().await.err()).await;
    assert!(contracts::envelope::wall_clock() >= short.until, "{version}: not before its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_createrole_opens_and_closes_access_on_the_local_postgres() {
    let (servers, admin) = database("postgres-login").await;
    opens_and_closes(servers.database_url(), &admin).await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_createrole_opens_and_closes_access_on_every_postgres_version() {
    for version in ["14.22.0-beta.17", "16.14.0-beta.17", "18.4.0-beta.17"] {
        let folder = folder(&format!("postgres-{version}"));
        let start = || Private::of_version(version, &folder, &packages(), &progress());
        let mut server = match tokio::task::block_in_place(start) {
            Err(fault @ servers::Error::Offline { .. }) => {
                eprintln!("skipped: {fault}");
                return;
            }
            started => started.unwrap(),
        };
        let admin = prepare(&server.url()).await;
        opens_and_closes(&server.url(), &admin).await;
        admin.close().await;
        tokio::task::block_in_place(|| server.stop());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_logs_no_password_and_every_refused_order_has_a_reason() {
    let (servers, admin) = database("postgres-words").await;
    let url = servers.database_url();
    sqlx::raw_sql("alter system set log_statement = 'all'").execute(&admin).await.unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(&admin).await.unwrap();
    let provisioning = Postgres::new(&connector(url, &admin).await, SECRET).unwrap();
    let said = async |resource: &str| match provisioning.open(&Order { resource: resource.into(), ..order(60) }).await {
        Err(Fault::Permanent(said)) => said,
        other => panic!("{resource}: {other:?}"),
    };
    assert!(said("crm/nosuch").await.contains("no schema nosuch"));
    for own in ["crm/pg_catalog", "crm/pg_toast", "crm/information_schema"] {
        assert!(said(own).await.contains("Postgres itself"), "{own}");
    }
    let foreign = said("crm/hr").await;
    assert!(foreign.contains("hr"), "whose schema is another's: {foreign}");
    // A schema of ours with a table of somebody else's: Postgres would only warn.
    sqlx::raw_sql("create table sales.theirs (id int); grant select on sales.theirs to conn")
        .execute(&admin)
        .await
        .unwrap();
    let partly = said("crm/sales").await;
    assert!(partly.contains("sales.theirs") || partly.contains("theirs"), "{partly}");
    assert!(provisioning.marked().await.unwrap().is_empty(), "what was refused left nothing behind");
    sqlx::raw_sql("drop table sales.theirs").execute(&admin).await.unwrap();
    let opened = order(60);
    provisioning.open(&opened).await.unwrap();
    enter(url, &opened, &provisioning.password(opened.grant)).await.unwrap();
    let log = eventually("the server logs statements", async || {
        let log = std::fs::read_to_string(
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("provisionings-postgres-words/postgres/postgres.log"),
        );
        log.ok().filter(|log| log.contains(&format!("create role {}", connectors::login(opened.grant))))
    })
    .await;
    assert!(log.contains("password 'SCRAM-SHA-256$4096:"));
    assert!(!log.contains(&provisioning.password(opened.grant)), "the password itself is nowhere");
    provisioning.close(&opened).await.unwrap();
    // Somebody made a superuser of a role of ours.
    let raised = order(60);
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create role {} superuser", connectors::login(raised.grant))))
        .execute(&admin)
        .await
        .unwrap();
    assert!(provisioning.open(&raised).await.unwrap_err().to_string().contains("raised the role"));
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_outside_the_schema_do_not_keep_access_open() {
    let (servers, admin) = database("postgres-outside").await;
    let url = servers.database_url();
    sqlx::raw_sql("create database other").execute(&admin).await.unwrap();
    let base: PgConnectOptions = url.parse().unwrap();
    let other = PgPoolOptions::new().connect_with(base.clone().database("other")).await.unwrap();
    let provisioning = Postgres::new(&connector(url, &admin).await, SECRET).unwrap();
    let order = Order { access_level: AccessLevel::ReadWrite, ..order(600) };
    provisioning.open(&order).await.unwrap();
    let role = connectors::login(order.grant);
    // Something in another database that the role owns, as `create` for everybody in `public` allows before Postgres 15.
    let statement = format!("create table public.mine (id int); alter table public.mine owner to {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&other).await.unwrap();
    let mut session = enter(url, &order, &provisioning.password(order.grant)).await.unwrap();
    provisioning.close(&order).await.unwrap();
    assert_eq!(provisioning.probe(&order).await.unwrap(), Found::Closed);
    assert!(session.ping().await.is_err());
    let locked = "select not rolcanlogin and (select rolpassword is null from pg_authid a where a.oid = r.oid) \
                  and not has_schema_privilege(r.oid, 'sales', 'USAGE') from pg_roles r where rolname = $1";
    let locked: bool = sqlx::query_scalar(locked).bind(&role).fetch_one(&admin).await.unwrap();
    assert!(locked, "no login, no password and no rights, although the role is there");
    assert_eq!(provisioning.marked().await.unwrap(), [order.grant], "and it is still known as ours");
    sqlx::raw_sql("drop table public.mine").execute(&other).await.unwrap();
    provisioning.close(&order).await.unwrap();
    assert!(provisioning.marked().await.unwrap().is_empty(), "with nothing in the way it goes");
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_every_login_are_reported_and_sessions_in_other_databases_are_ended() {
    let (servers, admin) = database("postgres-extra").await;
    let url = servers.database_url();
    let provisioning = Postgres::new(&connector(url, &admin).await, SECRET).unwrap();
    for statement in [
        "create database other",
        "revoke connect on database postgres, template1, other from public",
        "create function sales.change() returns void language sql security definer as 'insert into sales.orders values (9)'",
    ] {
        sqlx::raw_sql(statement).execute(&admin).await.unwrap();
    }
    sqlx::raw_sql("revoke execute on function sales.change() from public").execute(&admin).await.unwrap();
    let order = order(600);
    provisioning.open(&order).await.unwrap();
    assert_eq!(provisioning.extra_rights(&order).await.unwrap(), Vec::<String>::new(), "nothing beyond the order");
    sqlx::raw_sql(
        "grant execute on function sales.change() to public; grant connect on database other to public; \
         grant usage on schema hr to public; grant select, insert on hr.pay to public",
    )
    .execute(&admin)
    .await
    .unwrap();
    let extra = provisioning.extra_rights(&order).await.unwrap();
    assert_eq!(
        extra,
        [
            "connect to the database other",
            "change hr.pay",
            "read hr.pay",
            "run sales.change() with the rights of lockbox",
        ]
    );
    let base: PgConnectOptions = url.parse().unwrap();
    let elsewhere =
        base.database("other").username(&connectors::login(order.grant)).password(&provisioning.password(order.grant));
    let mut elsewhere = elsewhere.connect().await.unwrap();
    let mut here = enter(url, &order, &provisioning.password(order.grant)).await.unwrap();
    let cut = async || elsewhere.ping().await.err();
    tokio::time::timeout(Duration::from_secs(20), eventually("the guard cuts a session elsewhere", cut)).await.unwrap();
    here.ping().await.unwrap();
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engineers_session_with_the_lock_of_the_guard_is_ended_and_the_guard_runs() {
    let (servers, admin) = database("postgres-lock").await;
    let url = servers.database_url();
    let provisioning = Postgres::new(&connector(url, &admin).await, SECRET).unwrap();
    let order = order(600);
    provisioning.open(&order).await.unwrap();
    let mut session = enter(url, &order, &provisioning.password(order.grant)).await.unwrap();
    let guards = "select count(*) from pg_stat_activity where application_name = 'lockbox guard'";
    sqlx::raw_sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockbox guard'")
        .execute(&admin)
        .await
        .unwrap();
    let take = "select pg_try_advisory_lock(1819239275, (select oid from pg_roles where rolname = 'conn')::int)";
    eventually("the engineer has the lock", async || {
        let has: bool = sqlx::query_scalar(take).fetch_one(&mut session).await.unwrap();
        has.then_some(())
    })
    .await;
    provisioning.marked().await.unwrap();
    let count: i64 = sqlx::query_scalar(guards).fetch_one(&admin).await.unwrap();
    assert_eq!(count, 1, "a guard stands");
    assert!(session.ping().await.is_err(), "and who held its lock is cut");
    servers.stop().await;
}
