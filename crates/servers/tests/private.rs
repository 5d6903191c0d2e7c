//! Private servers start, restart after a kill on the same port, and stop.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use servers::{Allow, Options, Servers, Source};

#[tokio::test(flavor = "multi_thread")]
async fn private_servers_start_restart_after_a_kill_and_stop() {
    let folder = tempfile::Builder::new().prefix("lockbox-servers-").tempdir().unwrap();
    // The user of the servers needs access.
    std::process::Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
    let options = Options {
        database_url: None,
        amqp_url: None,
        project: folder.path().to_owned(),
        data: folder.path().join("data"),
        cache: folder.path().join("cache"),
        allow: Allow { docker: false, ..Allow::default() },
        progress: Arc::new(|line| println!("{line}")),
    };
    let mut servers = Servers::start(options).await.unwrap();
    assert_ne!(servers.database_source, Source::Configured);
    let (database_url, amqp_url) = (servers.database_url().to_owned(), servers.amqp_url().to_owned());
    for standard in [":5432/", ":5672/"] {
        assert!(!database_url.contains(standard) && !amqp_url.contains(standard));
    }
    let database = servers.database.as_mut().unwrap();
    let before = database.pid();
    database.kill();
    database.restart().unwrap();
    assert_ne!(database.pid(), before);
    assert_eq!(database.url(), database_url, "the port does not change");
    let broker = servers.broker.as_mut().unwrap();
    broker.kill();
    broker.restart().unwrap();
    broker.wipe().unwrap();
    broker.restart().unwrap();
    assert_eq!(broker.url(), amqp_url, "the port does not change");
    servers.stop().await;
}
