//! Servers in Docker containers, which the tests use when no other servers are available.

use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::rabbitmq::RabbitMq;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ImageExt, TestcontainersError};

/// Starts both servers in containers. Returns the URLs of database and broker.
pub async fn start() -> Result<(String, String), TestcontainersError> {
    let database: ContainerAsync<Postgres> = Postgres::default().with_tag("17-alpine").start().await?;
    let broker: ContainerAsync<RabbitMq> = RabbitMq::default().with_tag("4.2-alpine").start().await?;
    let database_url = format!(
        "postgres://postgres:postgres@{}:{}/postgres",
        database.get_host().await?,
        database.get_host_port_ipv4(5432).await?
    );
    let amqp_url =
        format!("amqp://guest:guest@{}:{}/%2f", broker.get_host().await?, broker.get_host_port_ipv4(5672).await?);
    // The containers are removed when the process ends.
    Box::leak(Box::new((database, broker)));
    Ok((database_url, amqp_url))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topology_can_be_declared_on_the_broker_of_docker_compose() {
    let (_database, amqp_url) = match start().await {
        Ok(urls) => urls,
        Err(why) => {
            println!("skipped: no Docker engine answers ({why})");
            return;
        }
    };
    let names = broker::Names::new("containers").unwrap();
    let link = broker::Link::open(&broker::Config { url: amqp_url, name: "test".into() }).await.unwrap();
    broker::topology::apply(&link, &names).await.unwrap();
    assert_eq!(broker::topology::verify(&link, &names).await.unwrap(), Vec::new());
}
