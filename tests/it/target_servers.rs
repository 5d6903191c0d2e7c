//! Real targets for tests: a site of files behind nginx, mailboxes of a Dovecot server, a Postgres database.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reqwest::{Client, Method, StatusCode};
use servers::apache::Apache;
use servers::dovecot::{Dovecot, Unpacked};
use servers::nginx::Nginx;
use servers::{Allow, Options, Servers};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::harness::{packages, progress};

const SITE: &str = include_str!("../../examples/gate/nginx.conf");
const FILES: &str = include_str!("../../examples/gate/files.conf");

/// A file of the examples with other paths and ports; the file must contain each of the originals.
pub fn moved(text: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// A folder for one target.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("provisionings-{name}"));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Contoso's files behind the example's nginx, which calls the gate at this address.
pub struct FileSite {
    pub nginx: Nginx,
    pub apache: Apache,
    client: Client,
    pub files: PathBuf,
}

impl FileSite {
    pub fn open(name: &str, gate: &str) -> Self {
        Self::open_with(name, gate, |_| {})
    }

    /// The same, with files that are prepared first.
    pub fn open_with(name: &str, gate: &str, prepare: impl FnOnce(&Path)) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = folder(name);
        let files = folder.join("files");
        for part in ["site-a", "site-ab", "site-b"] {
            std::fs::create_dir_all(files.join("sites").join(part)).unwrap();
            std::fs::write(files.join("sites").join(part).join("secret.txt"), format!("content of {part}")).unwrap();
        }
        prepare(&files);
        let state = folder.join("apache").display().to_string();
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(folder.join("types"), "text/plain txt\n").unwrap();
        let configure = |port: u16, home: &Path| {
            let places = [
                ("ServerRoot /usr/lib/apache2", format!("ServerRoot {}", home.display())),
                ("127.0.0.1:8092", format!("127.0.0.1:{port}")),
                ("User www-data\nGroup www-data\n", String::new()),
                ("/run/lockbox-files", state.clone()),
                ("/var/log/lockbox-files.log", format!("{state}/error.log")),
                ("/var/lib/lockbox-files", state.clone()),
                ("/etc/mime.types", folder.join("types").display().to_string()),
                ("/srv/contoso", files.display().to_string()),
            ];
            moved(FILES, &places.each_ref().map(|(from, to)| (*from, to.as_str())))
        };
        let apache = Apache::start(&folder, &packages(), configure, &progress()).unwrap();
        let configure = |port: u16| {
            let (own, below) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", apache.port));
            moved(SITE, &[("127.0.0.1:8081", gate), ("127.0.0.1:8090", &own), ("127.0.0.1:8092", &below)])
        };
        let nginx = Nginx::start(&folder.join("nginx"), &packages(), configure, &progress()).unwrap();
        Self {
            nginx,
            apache,
            client: Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            files,
        }
    }

    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        shown: Option<&str>,
        more: &[(&str, &str)],
    ) -> (StatusCode, String) {
        self.send(method, path, shown, more, if method == "PUT" { "changed" } else { "" }).await
    }

    /// The same, with a body.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        shown: Option<&str>,
        more: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, String) {
        let answer = self.answer(method, path, shown, more, body).await;
        (answer.status(), answer.text().await.unwrap())
    }

    /// The same, with all that was answered.
    pub async fn answer(
        &self,
        method: &str,
        path: &str,
        shown: Option<&str>,
        more: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut asking = self.client.request(method, format!("http://127.0.0.1:{}{path}", self.nginx.port));
        if let Some(shown) = shown {
            asking = asking.basic_auth("robin", Some(shown));
        }
        for (name, value) in more {
            asking = asking.header(*name, *value);
        }
        asking.body(body).send().await.unwrap()
    }

    /// Stops both servers.
    pub fn stop(self) {
        self.nginx.stop();
        self.apache.stop();
    }

    pub async fn get(&self, path: &str, shown: &str) -> (StatusCode, String) {
        self.ask("GET", path, Some(shown), &[]).await
    }
}

/// A session with a mail server.
pub struct Imap {
    stream: BufReader<TcpStream>,
}

impl Imap {
    pub async fn enter(port: u16, login: &str, password: &str) -> Result<Self, String> {
        let mut session = Self { stream: BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()) };
        session.stream.read_line(&mut String::new()).await.unwrap();
        let answer = session.say(&format!("LOGIN \"{login}\" {password}")).await;
        if answer.contains("x OK") { Ok(session) } else { Err(answer) }
    }

    /// All that is answered to a command, up to its end or the end of the session.
    pub async fn say(&mut self, command: &str) -> String {
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

/// The example's script, for a Dovecot whose programs are not where they were built for and whose folder is another.
fn session_script(folder: &Path, unpacked: &Unpacked) {
    let root = unpacked.root.join("usr");
    let lib = root.join("lib/dovecot");
    let run = folder.join("run").display().to_string();
    let beside = format!("LD_LIBRARY_PATH={}", unpacked.libraries);
    let doveadm = format!("{beside} {}/bin/doveadm -c {run}/config", root.display());
    let mut text = include_str!("../../examples/gate/imap-session.sh").to_owned();
    for (from, to) in [
        ("doveadm kick", format!("{doveadm} kick")),
        ("/run/dovecot", run),
        (
            "env NAMESPACE/INBOX/SUBSCRIPTIONS=no \"$@\"",
            format!("env NAMESPACE/INBOX/SUBSCRIPTIONS=no {beside} {}/script-login", lib.display()),
        ),
        ("exec \"$@\"", format!("{beside} exec {}/script-login", lib.display())),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    let script = folder.join("session.sh");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Contoso's mailboxes in the example's Dovecot, which calls the gate at this address.
pub fn mail_server(folder: &Path, gate: &str) -> Dovecot {
    for mailbox in ["finance@contoso.example", "hr@contoso.example"] {
        let new = folder.join("mail").join(mailbox).join("new");
        std::fs::create_dir_all(&new).unwrap();
        for beside in ["cur", "tmp"] {
            std::fs::create_dir_all(new.with_file_name(beside)).unwrap();
        }
        std::fs::write(new.join("1.letter"), format!("Subject: letter\n\ncontent of {mailbox}\n")).unwrap();
        let archive = folder.join("mail").join(mailbox).join(".Archive/new");
        std::fs::create_dir_all(&archive).unwrap();
        for beside in ["cur", "tmp"] {
            std::fs::create_dir_all(archive.with_file_name(beside)).unwrap();
        }
        std::fs::write(archive.join("2.letter"), format!("Subject: old\n\narchive of {mailbox}\n")).unwrap();
        std::fs::write(folder.join("mail").join(mailbox).join("subscriptions"), "INBOX\n").unwrap();
    }
    std::fs::create_dir_all(folder.join("entries")).unwrap();
    std::fs::write(folder.join("acl"), "* owner lr\n").unwrap();
    let place = |name: &str| folder.join(name).display().to_string();
    session_script(folder, &servers::dovecot::unpacked(&packages(), &progress()).unwrap());
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
            ("/etc/dovecot/imap-session.sh", &place("session.sh")),
            ("  user = root\n", ""),
            ("mail_uid = vmail\nmail_gid = vmail\n", ""),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        // Refused logins are not made to wait: this test has many.
        text + "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"
    };
    Dovecot::start(folder, &packages(), configure, &progress()).unwrap()
}

/// A Postgres server with the schemas `sales` and `hr` that requires a password from everyone but its owner.
pub async fn database(name: &str) -> (Servers, PgPool) {
    let folder = folder(name);
    let servers = Servers::start(Options {
        database_url: None,
        // None is needed.
        amqp_url: Some("amqp://127.0.0.1:1".into()),
        project: folder.clone(),
        data: folder.clone(),
        cache: packages(),
        allow: Allow { docker: false, ..Allow::default() },
        progress: progress(),
    })
    .await
    .unwrap();
    let admin = prepare(servers.database_url()).await;
    (servers, admin)
}

/// Creates the schemas and the access rules, and returns the owner's connections.
pub async fn prepare(url: &str) -> PgPool {
    let admin = PgPoolOptions::new().max_connections(2).connect(url).await.unwrap();
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
    admin
}
