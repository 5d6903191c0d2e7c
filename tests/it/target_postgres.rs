//! A schema of a Postgres database.

use std::time::Duration;

use connectors::{AccessLevel, Connector, Found, Order, Postgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::eventually;
use crate::target_servers::database;

/// Robin's access to Contoso's sales for this long.
pub fn order(seconds: i64) -> Order {
    Order {
        grant: Uuid::now_v7(),
        tenant: "contoso".into(),
        service: "crm".into(),
        resource: "crm/sales".into(),
        access_level: AccessLevel::ReadOnly,
        engineer: "robin".into(),
        until: contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(seconds),
    }
}

pub async fn enter(url: &str, order: &Order, password: &str) -> Result<PgConnection, sqlx::Error> {
    let base: PgConnectOptions = url.parse().unwrap();
    base.username(&connectors::login(order.grant)).password(password).connect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_role_reads_one_schema_until_it_expires_and_is_dropped() {
    let (servers, _admin) = database("postgres").await;
    let provisioning = Postgres::new(servers.database_url(), b"a secret of the connector").unwrap();
    let enter = async |order: &Order, password: &str| enter(servers.database_url(), order, password).await;
    let long = order(600);
    let password = provisioning.password(long.grant);
    assert!(enter(&long, &password).await.is_err(), "not open yet");
    provisioning.open(&long).await.unwrap();
    provisioning.open(&long).await.unwrap();
    assert_eq!(
        (provisioning.probe(&long).await.unwrap(), provisioning.marked().await.unwrap()),
        (Found::Open, vec![long.grant])
    );
    eventually("passwords are asked for", async || enter(&long, "wrong").await.err()).await;
    let mut session = enter(&long, &password).await.unwrap();
    let read: i32 = sqlx::query_scalar("select id from sales.orders").fetch_one(&mut session).await.unwrap();
    assert_eq!(read, 1);
    assert!(sqlx::query("select id from hr.pay").execute(&mut session).await.is_err(), "another schema");
    let write = "set default_transaction_read_only = off; insert into sales.orders values (2)";
    assert!(sqlx::raw_sql(write).execute(&mut session).await.is_err(), "read only");
    let started = std::time::Instant::now();
    provisioning.close(&long).await.unwrap();
    assert!(session.ping().await.is_err(), "the session is cut");
    assert!(enter(&long, &password).await.is_err(), "and nobody gets in again");
    eventually("the target reads back as closed", async || {
        (provisioning.probe(&long).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5));
    provisioning.close(&long).await.unwrap();
    assert!(provisioning.marked().await.unwrap().is_empty());
    let writing = Order { access_level: AccessLevel::ReadWrite, ..order(600) };
    provisioning.open(&writing).await.unwrap();
    let mut session = enter(&writing, &provisioning.password(writing.grant)).await.unwrap();
    sqlx::raw_sql("insert into sales.orders values (2)").execute(&mut session).await.unwrap();
    assert_eq!(provisioning.terminate_sessions(&writing).await.unwrap(), 1);
    // Nobody closes this one: the target refuses by itself.
    let short = order(2);
    provisioning.open(&short).await.unwrap();
    assert!(enter(&short, &provisioning.password(short.grant)).await.is_ok());
    eventually("the target's own end holds", async || enter(&short, &provisioning.password(short.grant)).await.err())
        .await;
    assert!(contracts::envelope::wall_clock() >= short.until, "not before");
    assert!(provisioning.open(&short).await.is_err(), "what is over is not opened again");
    for resource in ["crm/Sales", "crm/a;b", "crm/", "x\"y"] {
        assert!(provisioning.open(&Order { resource: resource.into(), ..order(60) }).await.is_err(), "{resource}");
    }
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postgres_server_alone_ends_idle_and_busy_sessions_when_access_expires() {
    let (servers, admin) = database("postgres-guard").await;
    let url = servers.database_url();
    let provisioning = Postgres::new(url, b"a secret of the connector").unwrap();
    let (short, long) = (order(4), order(600));
    provisioning.open(&long).await.unwrap();
    provisioning.open(&short).await.unwrap();
    let guards = "select count(*) from pg_stat_activity where application_name = 'lockbox guard'";
    eventually("one guard stands", async || {
        let count: i64 = sqlx::query_scalar(guards).fetch_one(&admin).await.unwrap();
        (count == 1).then_some(())
    })
    .await;
    let password = provisioning.password(short.grant);
    let mut idle = enter(url, &short, &password).await.unwrap();
    let mut stubborn = enter(url, &short, &password).await.unwrap();
    let mut busy = enter(url, &short, &password).await.unwrap();
    let mut other = enter(url, &long, &provisioning.password(long.grant)).await.unwrap();
    sqlx::raw_sql("set statement_timeout = 0; set idle_session_timeout = 0; begin")
        .execute(&mut stubborn)
        .await
        .unwrap();
    // From here on nothing of ours is connected.
    drop(provisioning);
    let endless = sqlx::raw_sql("select count(*) from generate_series(1, 1000000000000)");
    let cut = tokio::time::timeout(Duration::from_secs(20), endless.execute(&mut busy)).await.unwrap();
    let late = contracts::envelope::wall_clock() - short.until;
    assert!(cut.is_err() && late > chrono::TimeDelta::zero() && late < chrono::TimeDelta::seconds(3), "{late} {cut:?}");
    eventually("idle ones too", async || (idle.ping().await.is_err() && stubborn.ping().await.is_err()).then_some(()))
        .await;
    other.ping().await.unwrap();
    assert!(enter(url, &short, &password).await.is_err());
    let provisioning = Postgres::new(url, b"a secret of the connector").unwrap();
    eventually("the target reads back as closed", async || {
        (provisioning.probe(&short).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    let guard =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'lockbox guard'";
    sqlx::query(guard).execute(&admin).await.unwrap();
    eventually("the comparison replaces a guard that ended", async || {
        provisioning.marked().await.unwrap();
        let count: i64 = sqlx::query_scalar(guards).fetch_one(&admin).await.unwrap();
        (count == 1).then_some(())
    })
    .await;
    provisioning.close(&short).await.unwrap();
    provisioning.close(&long).await.unwrap();
    eventually("with nothing left to guard it leaves", async || {
        let count: i64 = sqlx::query_scalar(guards).fetch_one(&admin).await.unwrap();
        (count == 0).then_some(())
    })
    .await;
    let again = order(600);
    provisioning.open(&again).await.unwrap();
    let count: i64 = sqlx::query_scalar(guards).fetch_one(&admin).await.unwrap();
    assert_eq!(count, 1, "and the next access has one from its beginning");
    servers.stop().await;
}
