//! Real targets: a site of files behind nginx, and a schema of Postgres.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use connectors::{Config, Connector, Files, Found, Mailbox, MailboxSettings, Mode, Order, Postgres, Target, build};
use domain::Verdict::Approve;
use reqwest::{Client, Method, StatusCode};
use servers::dovecot::Dovecot;
use servers::nginx::Nginx;
use servers::{Allow, Options, Servers};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;
use workers::RoleName;

use crate::gate::{Gate, end, granted, handle, make_writable, site, uses};
use crate::harness::{Lockbox, ROLES, eventually, submission};

const SITE: &str = include_str!("../../examples/gate/nginx.conf");

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("doors-{name}"));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Contoso's files behind the example's nginx, which asks the gate at this address.
struct FileSite {
    nginx: Nginx,
    client: Client,
    files: PathBuf,
}

impl FileSite {
    fn open(name: &str, gate: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = folder(name);
        let files = folder.join("files");
        for part in ["site-a", "site-ab", "site-b"] {
            std::fs::create_dir_all(files.join("sites").join(part)).unwrap();
            std::fs::write(files.join("sites").join(part).join("secret.txt"), format!("content of {part}")).unwrap();
        }
        let configure = |port: u16| {
            let mut text = SITE.to_owned();
            let port = format!("127.0.0.1:{port}");
            for (from, to) in
                [("127.0.0.1:8081", gate), ("127.0.0.1:8090", &port), ("/srv/contoso", &files.to_string_lossy())]
            {
                assert!(text.contains(from), "{from}");
                text = text.replace(from, to);
            }
            text
        };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nginx-packages");
        let nginx =
            Nginx::start(&folder, &cache, configure, &(Arc::new(|line: &str| eprintln!("{line}")) as _)).unwrap();
        Self { nginx, client: Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(), files }
    }

    async fn ask(&self, method: &str, path: &str, shown: Option<&str>, more: &[(&str, &str)]) -> (StatusCode, String) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut asking = self.client.request(method, format!("http://127.0.0.1:{}{path}", self.nginx.port));
        if let Some(shown) = shown {
            asking = asking.basic_auth("robin", Some(shown));
        }
        for (name, value) in more {
            asking = asking.header(*name, *value);
        }
        let answer = asking.body("changed").send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str, shown: &str) -> (StatusCode, String) {
        self.ask("GET", path, Some(shown), &[]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_behind_nginx_open_with_the_grant_and_close_with_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("files", &gate.address.to_string());
    let secret = "/sites/site-a/secret.txt";
    assert_eq!(files.ask("GET", secret, None, &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(files.get(secret, "lbg_guessed").await.0, StatusCode::FORBIDDEN);
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let shown = handle(&lockbox, request).await;
    assert_eq!(files.get(secret, &shown).await, (StatusCode::OK, "content of site-a".to_owned()));
    for path in [
        "/sites/site-ab/secret.txt",
        "/sites/site-b/secret.txt",
        "/sites/site-a%2f..%2fsite-b/secret.txt",
        "/sites//site-a/secret.txt",
    ] {
        assert_eq!(files.get(path, &shown).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(files.ask("PUT", secret, Some(&shown), &[]).await.0, StatusCode::FORBIDDEN, "read only");
    make_writable(&lockbox, request).await;
    assert_eq!(files.ask("PUT", "/sites/site-a/new.txt", Some(&shown), &[]).await.0, StatusCode::CREATED);
    let away = [("destination", "/sites/site-b/stolen.txt")];
    assert_eq!(files.ask("COPY", secret, Some(&shown), &away).await.0, StatusCode::FORBIDDEN);
    assert!(!files.files.join("sites/site-b/stolen.txt").exists());
    let canary = Some(format!("http://127.0.0.1:{}{secret}", files.nginx.port));
    let door = Files::new(&format!("http://{}", gate.address), canary).unwrap();
    let order = Order {
        grant: request,
        tenant: "contoso".into(),
        service: "sharepoint".into(),
        resource: "https://contoso.example/sites/site-a".into(),
        mode: Mode::ReadOnly,
        engineer: "robin".into(),
        until: lockbox.view(request).await.access_until.unwrap(),
    };
    assert_eq!(door.probe(&order).await.unwrap(), Found::Open);
    end(&lockbox, request).await;
    assert_eq!(files.get(secret, &shown).await.0, StatusCode::FORBIDDEN, "ended");
    assert_eq!(door.probe(&order).await.unwrap(), Found::Closed);
    eventually("the uses are on record", async || {
        let uses = uses(&lockbox).await;
        let is =
            |code: &str, method: &str| uses.iter().any(|(known, _, data)| known == code && data["method"] == method);
        (is("ok", "GET") && is("ok", "PUT") && is("read_only", "PUT") && is("not_open", "GET")).then_some(())
    })
    .await;
    gate.close().await;
    assert_eq!(files.get(secret, &shown).await.0, StatusCode::INTERNAL_SERVER_ERROR, "no gate, no content");
    assert!(door.probe(&order).await.is_err(), "unknown is not closed");
    files.nginx.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_serves_nothing_when_the_gate_is_away_hangs_or_says_anything_but_its_own_yes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let files = FileSite::open("odd-gates", &listener.local_addr().unwrap().to_string());
    let answers = [
        "HTTP/1.1 302 Found\r\nlocation: /\r\n",
        "HTTP/1.1 404 Not Found\r\n",
        "HTTP/1.1 500 Internal Server Error\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 204 No Content\r\nx-lockbox-allowed: adatum/sharepoint\r\n",
        "nonsense\r\n",
        "",
    ];
    for answer in answers {
        let gate = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            if answer.is_empty() {
                // Says nothing and keeps the line.
                return Some(stream);
            }
            let whole = format!("{answer}content-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(whole.as_bytes()).await.unwrap();
            None
        };
        let path = "/sites/site-a/secret.txt";
        let ((status, text), _kept) = tokio::join!(files.get(path, "lbg_x"), gate);
        assert!(!status.is_success() && !text.contains("content of"), "{answer:?} gave {status}");
    }
    drop(listener);
    let (status, text) = files.get("/sites/site-a/secret.txt", "lbg_x").await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && !text.contains("content of"), "away");
    files.nginx.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_postgres_reads_one_schema_until_its_end_and_is_cut_and_dropped() {
    let folder = folder("postgres");
    let servers = Servers::start(Options {
        database_url: None,
        // None is needed.
        amqp_url: Some("amqp://127.0.0.1:1".into()),
        project: folder.clone(),
        data: folder.clone(),
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages"),
        allow: Allow { docker: false, ..Allow::default() },
        progress: Arc::new(|line| eprintln!("{line}")),
    })
    .await
    .unwrap();
    let admin = PgPoolOptions::new().max_connections(2).connect(servers.database_url()).await.unwrap();
    sqlx::raw_sql(
        "create schema sales; create table sales.orders as select 1 as id; create schema hr; create table hr.pay as select 2 as id; \
         create table rules (line text)",
    )
    .execute(&admin)
    .await
    .unwrap();
    let rules: String = sqlx::query_scalar("show hba_file").fetch_one(&admin).await.unwrap();
    let passwords = "host all lockbox 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(&rules, passwords).unwrap();
    sqlx::query("select pg_reload_conf()").execute(&admin).await.unwrap();
    let door = Postgres::new(servers.database_url(), b"a secret of the connector").unwrap();
    let order = |seconds: i64| Order {
        grant: Uuid::now_v7(),
        tenant: "contoso".into(),
        service: "crm".into(),
        resource: "crm/sales".into(),
        mode: Mode::ReadOnly,
        engineer: "robin".into(),
        until: contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(seconds),
    };
    let base: PgConnectOptions = servers.database_url().parse().unwrap();
    let enter = async |order: &Order, password: &str| {
        base.clone().username(&connectors::login(order.grant)).password(password).connect().await
    };
    let long = order(600);
    let password = door.password(long.grant);
    assert!(enter(&long, &password).await.is_err(), "not open yet");
    door.open(&long).await.unwrap();
    door.open(&long).await.unwrap();
    assert_eq!((door.probe(&long).await.unwrap(), door.marked().await.unwrap()), (Found::Open, vec![long.grant]));
    eventually("passwords are asked for", async || enter(&long, "wrong").await.err()).await;
    let mut session = enter(&long, &password).await.unwrap();
    let read: i32 = sqlx::query_scalar("select id from sales.orders").fetch_one(&mut session).await.unwrap();
    assert_eq!(read, 1);
    assert!(sqlx::query("select id from hr.pay").execute(&mut session).await.is_err(), "another schema");
    let write = "set default_transaction_read_only = off; insert into sales.orders values (2)";
    assert!(sqlx::raw_sql(write).execute(&mut session).await.is_err(), "read only");
    let started = std::time::Instant::now();
    door.close(&long).await.unwrap();
    assert!(session.ping().await.is_err(), "the session is cut");
    assert!(enter(&long, &password).await.is_err(), "and nobody gets in again");
    eventually("the target reads back as closed", async || {
        (door.probe(&long).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5));
    door.close(&long).await.unwrap();
    assert!(door.marked().await.unwrap().is_empty());
    let writing = Order { mode: Mode::ReadWrite, ..order(600) };
    door.open(&writing).await.unwrap();
    let mut session = enter(&writing, &door.password(writing.grant)).await.unwrap();
    sqlx::raw_sql("insert into sales.orders values (2)").execute(&mut session).await.unwrap();
    assert_eq!(door.terminate_sessions(&writing).await.unwrap(), 1);
    // Nobody closes this one: the target refuses by itself.
    let short = order(2);
    door.open(&short).await.unwrap();
    assert!(enter(&short, &door.password(short.grant)).await.is_ok());
    eventually("the target's own end holds", async || enter(&short, &door.password(short.grant)).await.err()).await;
    assert!(contracts::envelope::wall_clock() >= short.until, "not before");
    assert!(door.open(&short).await.is_err(), "what is over is not opened again");
    for resource in ["crm/Sales", "crm/a;b", "crm/", "x\"y"] {
        assert!(door.open(&Order { resource: resource.into(), ..order(60) }).await.is_err(), "{resource}");
    }
    servers.stop().await;
}

/// A session with a mail server.
struct Imap {
    stream: BufReader<TcpStream>,
}

impl Imap {
    async fn enter(port: u16, login: &str, password: &str) -> Result<Self, String> {
        let mut session = Self { stream: BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()) };
        session.stream.read_line(&mut String::new()).await.unwrap();
        let answer = session.say(&format!("LOGIN \"{login}\" {password}")).await;
        if answer.contains("x OK") { Ok(session) } else { Err(answer) }
    }

    /// All that is answered to a command, up to its end or the end of the session.
    async fn say(&mut self, command: &str) -> String {
        if self.stream.write_all(format!("x {command}\r\n").as_bytes()).await.is_err() {
            return "gone".to_owned();
        }
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).await.unwrap_or(0);
            all.push_str(&line);
            if read == 0 || line.starts_with("x ") {
                return all;
            }
        }
    }
}

/// Contoso's mailboxes in the example's Dovecot, which asks the gate at this address.
fn mail_server(folder: &Path, gate: &str) -> Dovecot {
    for mailbox in ["finance@contoso.example", "hr@contoso.example"] {
        let new = folder.join("mail").join(mailbox).join("new");
        std::fs::create_dir_all(&new).unwrap();
        for beside in ["cur", "tmp"] {
            std::fs::create_dir_all(new.with_file_name(beside)).unwrap();
        }
        std::fs::write(new.join("1.letter"), format!("Subject: letter\n\ncontent of {mailbox}\n")).unwrap();
    }
    std::fs::create_dir_all(folder.join("entries")).unwrap();
    std::fs::write(folder.join("acl"), "* owner lr\n").unwrap();
    let place = |name: &str| folder.join(name).display().to_string();
    let configure = |imap: u16, doveadm: u16| {
        let mut text = include_str!("../../examples/gate/dovecot.conf").to_owned();
        for (from, to) in [
            ("/usr/local/bin/lockbox", env!("CARGO_BIN_EXE_lockbox")),
            ("127.0.0.1:8081", gate),
            ("/var/lib/lockbox/entries", &place("entries")),
            ("/srv/mail", &place("mail")),
            ("/etc/dovecot/lockbox-read-only", &place("acl")),
            ("8143", &imap.to_string()),
            ("8144", &doveadm.to_string()),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        // Refused logins are not made to wait: this test has many.
        text + "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"
    };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dovecot-packages");
    Dovecot::start(folder, &cache, configure, &(Arc::new(|line: &str| eprintln!("{line}")) as _)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_read_while_access_is_open_and_the_session_is_cut_at_its_end() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let folder = folder("mail");
    let server = mail_server(&folder, &gate.address.to_string());
    let doveadm = format!("http://127.0.0.1:{}", server.doveadm);
    let door = Mailbox::new(folder.join("entries"), &doveadm, "change-me").unwrap();
    let mut asked = submission();
    asked["duration_seconds"] = 600.into();
    let robin = "robin*finance@contoso.example";
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "before approval");
    let request = granted(&lockbox, &asked).await;
    let shown = handle(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "the door is not open yet");
    let order = Order {
        grant: request,
        tenant: "contoso".into(),
        service: "exchange_online".into(),
        resource: "finance@contoso.example".into(),
        mode: Mode::ReadOnly,
        engineer: "robin".into(),
        until: lockbox.view(request).await.access_until.unwrap(),
    };
    door.open(&order).await.unwrap();
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    assert!(session.say("SELECT INBOX").await.contains("READ-ONLY"));
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    session.say("STORE 1 +FLAGS (\\Deleted)").await;
    session.say("EXPUNGE").await;
    assert!(session.say("CREATE more").await.contains("NOPERM"));
    assert!(session.say("COPY 1 INBOX").await.contains("NOPERM"));
    let mut another = Imap::enter(server.imap, robin, &shown).await.unwrap();
    another.say("SELECT INBOX").await;
    assert!(another.say("FETCH 1 (FLAGS BODY.PEEK[TEXT])").await.contains("content of"), "nothing was deleted");
    for (login, password) in [
        ("robin*hr@contoso.example", shown.as_str()),
        ("sam*finance@contoso.example", shown.as_str()),
        ("finance@contoso.example", shown.as_str()),
        (robin, "lbg_guessed"),
    ] {
        assert!(Imap::enter(server.imap, login, password).await.is_err(), "{login}");
    }
    assert_eq!((door.probe(&order).await.unwrap(), door.marked().await.unwrap()), (Found::Open, vec![request]));
    end(&lockbox, request).await;
    let started = std::time::Instant::now();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "the gate says no before the door is closed");
    door.close(&order).await.unwrap();
    assert!(door.terminate_sessions(&order).await.unwrap() >= 1);
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    eventually("the target reads back as closed", async || {
        (door.probe(&order).await.unwrap() == Found::Closed).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("logins are on record", async || {
        let uses = uses(&lockbox).await;
        let is = |code: &str| uses.iter().any(|(known, _, data)| known == code && data["method"] == "LOGIN");
        (is("ok") && is("unknown_credential") && is("not_open")).then_some(())
    })
    .await;

    // Two ends that hold by themselves: the entry's own, and a gate that is away.
    let next = granted(&lockbox, &asked).await;
    let shown = handle(&lockbox, next).await;
    let until = contracts::envelope::wall_clock() + chrono::TimeDelta::seconds(4);
    let brief = Order { grant: next, until, ..order.clone() };
    door.open(&brief).await.unwrap();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_ok());
    eventually("Dovecot refuses by its own clock", async || Imap::enter(server.imap, robin, &shown).await.err()).await;
    assert!(contracts::envelope::wall_clock() >= until);
    door.open(&Order { grant: next, ..order }).await.unwrap();
    assert!(Imap::enter(server.imap, robin, &shown).await.is_ok());
    gate.close().await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "no gate, no mailbox");
    server.stop();
    lockbox.finish().await;
}

/// Contoso's mailboxes and Contoso's database, kept by the role that opens and closes doors.
#[tokio::test(flavor = "multi_thread")]
async fn two_yeses_alone_let_an_engineer_into_a_real_target_and_an_end_alone_throws_the_engineer_out() {
    let lockbox = Lockbox::without_roles().await;
    let roles: Vec<RoleName> = ROLES.into_iter().filter(|role| *role != RoleName::Access).collect();
    lockbox.start(&roles).await;
    let gate = Gate::open(&lockbox).await;
    let folder = folder("kept-mail");
    let server = mail_server(&folder, &gate.address.to_string());
    let key_file = folder.join("key");
    std::fs::write(&key_file, "change-me\n").unwrap();
    let target = Target::Mailbox(MailboxSettings {
        entries: folder.join("entries"),
        doveadm: format!("http://127.0.0.1:{}", server.doveadm),
        key_file,
    });
    lockbox.keep_doors(build(&Config::from([("exchange_online".to_owned(), target)])).unwrap()).await;
    let robin = "robin*finance@contoso.example";
    let request = lockbox.submit(&submission()).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "nobody has said yes");
    lockbox.decide(contracts::Kind::ManagerDecide, request, "morgan", Approve).await;
    assert!(Imap::enter(server.imap, robin, "lbg_guessed").await.is_err(), "the customer has not said yes");
    lockbox.decide(contracts::Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.until_door(request, "open").await;
    let shown = handle(&lockbox, request).await;
    let mut session = Imap::enter(server.imap, robin, &shown).await.unwrap();
    session.say("SELECT INBOX").await;
    assert!(session.say("FETCH 1 BODY.PEEK[TEXT]").await.contains("content of finance@contoso.example"));
    eventually("the use is on record", async || {
        uses(&lockbox).await.iter().any(|(code, _, used)| code == "ok" && used["method"] == "LOGIN").then_some(())
    })
    .await;
    let started = std::time::Instant::now();
    end(&lockbox, request).await;
    assert!(Imap::enter(server.imap, robin, &shown).await.is_err(), "refused from the very end");
    eventually("the session is cut", async || (!session.say("NOOP").await.contains("x OK")).then_some(())).await;
    let door = lockbox.until_door(request, "closed").await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(door.sessions_cut >= 1 && door.ordered_at <= door.cut_at && door.cut_at <= door.closed_at, "{door:?}");
    gate.close().await;
    server.stop();
    lockbox.finish().await;
}
