//! A site of files behind nginx.

use connectors::{AccessLevel, Connector, Files, Found, Order};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gate::{Gate, access_token, end, granted, make_writable, site, uses};
use crate::harness::{Lockbox, ROLES, eventually};
use crate::target_servers::FileSite;

#[tokio::test(flavor = "multi_thread")]
async fn files_behind_nginx_are_accessible_exactly_while_the_grant_is_active() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("files", &gate.address.to_string());
    let secret = "/sites/site-a/secret.txt";
    assert_eq!(files.ask("GET", secret, None, &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(files.get(secret, "lbg_guessed").await.0, StatusCode::UNAUTHORIZED);
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let shown = access_token(&lockbox, request).await;
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
    let provisioning = Files::new(&format!("http://{}", gate.address), canary).unwrap();
    let order = Order {
        grant: request,
        tenant: "contoso".into(),
        service: "sharepoint".into(),
        resource: "https://contoso.example/sites/site-a".into(),
        access_level: AccessLevel::ReadOnly,
        engineer: "robin".into(),
        until: lockbox.view(request).await.access_until.unwrap(),
    };
    assert_eq!(provisioning.probe(&order).await.unwrap(), Found::Open);
    end(&lockbox, request).await;
    assert_eq!(files.get(secret, &shown).await.0, StatusCode::UNAUTHORIZED, "ended");
    assert_eq!(provisioning.probe(&order).await.unwrap(), Found::Closed);
    eventually("the access activity is in the audit log", async || {
        let uses = uses(&lockbox).await;
        let is =
            |code: &str, method: &str| uses.iter().any(|(known, _, data)| known == code && data["method"] == method);
        (is("ok", "GET") && is("ok", "PUT") && is("read_only", "PUT") && is("not_open", "GET")).then_some(())
    })
    .await;
    gate.close().await;
    assert_eq!(files.get(secret, &shown).await.0, StatusCode::INTERNAL_SERVER_ERROR, "no gate, no content");
    assert!(provisioning.probe(&order).await.is_err(), "unknown is not closed");
    files.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_serves_nothing_when_the_gate_is_unavailable_hangs_or_gives_any_other_response() {
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
    files.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webdav_client_lists_reads_and_edits_only_inside_the_granted_folder() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("webdav", &gate.address.to_string());
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let shown = access_token(&lockbox, request).await;
    let own = format!("http://127.0.0.1:{}", files.nginx.port);
    let dav = async |method: &str, path: &str, more: &[(&str, &str)]| files.ask(method, path, Some(&shown), more).await;
    let status = async |method: &str, path: &str, more: &[(&str, &str)]| dav(method, path, more).await.0;
    let lock = r#"<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"#;
    let locks = async |path: &str| files.send("LOCK", path, Some(&shown), &[("timeout", "Second-60")], lock).await;

    let (listed, text) = dav("PROPFIND", "/sites/site-a/", &[("depth", "1")]).await;
    assert_eq!(listed, StatusCode::MULTI_STATUS);
    assert!(text.contains("/sites/site-a/secret.txt") && !text.contains("site-b"), "{text}");
    for above in ["/", "/sites/", "/sites/site-b/", "/sites/site-ab/"] {
        let (refused, text) = dav("PROPFIND", above, &[("depth", "1")]).await;
        assert!(refused == StatusCode::FORBIDDEN && !text.contains("secret"), "{above}: {refused}");
    }
    let writes =
        [("MKCOL", "/sites/site-a/new/"), ("PUT", "/sites/site-a/x.txt"), ("DELETE", "/sites/site-a/secret.txt")];
    for (method, path) in writes {
        assert_eq!(status(method, path, &[]).await, StatusCode::FORBIDDEN, "{method} on what is read only");
    }
    assert_eq!(locks("/sites/site-a/secret.txt").await.0, StatusCode::FORBIDDEN, "a lock keeps others out");

    make_writable(&lockbox, request).await;
    assert_eq!(status("MKCOL", "/sites/site-a/new/", &[]).await, StatusCode::CREATED);
    assert_eq!(status("PUT", "/sites/site-a/new/x.txt", &[]).await, StatusCode::CREATED);
    let to = format!("{own}/sites/site-a/new/y.txt");
    assert_eq!(status("COPY", "/sites/site-a/new/x.txt", &[("destination", &to)]).await, StatusCode::CREATED);
    let to = format!("{own}/sites/site-a/z.txt");
    assert_eq!(status("MOVE", "/sites/site-a/new/y.txt", &[("destination", &to)]).await, StatusCode::CREATED);
    assert_eq!(dav("GET", "/sites/site-a/z.txt", &[]).await, (StatusCode::OK, "changed".to_owned()));
    let (locked, token) = locks("/sites/site-a/z.txt").await;
    assert!(locked == StatusCode::OK && token.contains("locktoken"), "{locked} {token}");
    assert_eq!(
        status("PUT", "/sites/site-a/z.txt", &[]).await,
        StatusCode::LOCKED,
        "the client that locked it has the token"
    );

    let outside = [
        format!("{own}/sites/site-b/stolen.txt"),
        format!("{own}/sites/site-ab/stolen.txt"),
        format!("{own}/sites/site-a/../site-b/stolen.txt"),
        format!("{own}/sites/site-a/%2e%2e/site-b/stolen.txt"),
        format!("{own}/sites/site-a%2f..%2fsite-b/stolen.txt"),
        format!("{own}/sites//site-b/stolen.txt"),
        "http://evil.example/sites/site-a/stolen.txt".to_owned(),
        "/sites/site-b/stolen.txt".to_owned(),
        "stolen.txt".to_owned(),
    ];
    for to in &outside {
        for method in ["COPY", "MOVE"] {
            let said = status(method, "/sites/site-a/new/x.txt", &[("destination", to)]).await;
            assert_eq!(said, StatusCode::FORBIDDEN, "{method} to {to}");
        }
    }
    let back = format!("{own}/sites/site-a/taken.txt");
    assert_eq!(status("COPY", "/sites/site-b/secret.txt", &[("destination", &back)]).await, StatusCode::FORBIDDEN);
    assert_eq!(status("MOVE", "/sites/site-a/new/x.txt", &[]).await, StatusCode::FORBIDDEN, "nobody says where to");
    let twice = [("destination", back.as_str()), ("destination", outside[0].as_str())];
    assert_eq!(status("COPY", "/sites/site-a/new/x.txt", &twice).await, StatusCode::FORBIDDEN, "two places");
    for part in ["site-b", "site-ab"] {
        let kept: Vec<_> = std::fs::read_dir(files.files.join("sites").join(part)).unwrap().flatten().collect();
        assert_eq!(kept.len(), 1, "{part}: {kept:?}");
    }
    end(&lockbox, request).await;
    assert_eq!(status("PROPFIND", "/sites/site-a/", &[("depth", "0")]).await, StatusCode::UNAUTHORIZED, "ended");
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}
