//! Files behind the gate with browsers, the file managers of Windows, macOS and GNOME, and the litmus tests.

use std::path::Path;

use reqwest::StatusCode;
use servers::caddy::Caddy;
use servers::programs::{debian, or_skip};

use crate::gate::{Gate, access_token, end, granted, make_writable, site};
use crate::harness::{Lockbox, ROLES, packages, progress};
use crate::target_servers::{FileSite, folder, moved};

const SECRET: &str = "/sites/site-a/secret.txt";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_must_sign_in_with_a_valid_token_and_gets_the_reason_of_a_refusal() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("sign-in", &gate.address.to_string());
    let first = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let old = access_token(&lockbox, first).await;
    assert_eq!(files.get(SECRET, &old).await.0, StatusCode::OK);
    end(&lockbox, first).await;
    let second = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let shown = access_token(&lockbox, second).await;
    // A browser keeps what was typed, and asks anew only on 401.
    let ended = ("authorization", format!("Bearer {old}"));
    for (name, value) in [
        ("x-none", String::new()),
        ("authorization", "Bearer lbg_guessed".to_owned()),
        ended,
        ("authorization", "Negotiate YII=".to_owned()),
    ] {
        let asked = files.answer("GET", SECRET, None, &[(name, value.as_str())], "").await;
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED, "{value}");
        assert_eq!(asked.headers()["www-authenticate"], "Basic realm=\"Lockbox\"", "{value}");
        assert!(!asked.headers().contains_key("x-lockbox-code"), "unknown and ended look alike");
    }
    let named = |name: &str| {
        use base64::Engine;
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{name}:{shown}")))
    };
    for (name, good) in [("robin", true), ("Robin", true), ("FABRIKAM\\robin", true), ("sam", false)] {
        let said = files.answer("GET", SECRET, None, &[("authorization", &named(name))], "").await.status();
        assert_eq!(said, if good { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, "{name}");
    }
    for (method, path, code, sentence) in [
        ("GET", "/sites/site-b/secret.txt", "not_covered", "another resource"),
        ("GET", "/sites/", "above", "contains the approved one"),
        ("PUT", SECRET, "read_only", "read only"),
        ("GET", "/sites/site-a/a%2fb", "not_covered", "another resource"),
    ] {
        let no = files.answer(method, path, Some(&shown), &[], "").await;
        assert_eq!(no.status(), StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(no.headers()["x-lockbox-code"], code, "{method} {path}");
        let text = no.text().await.unwrap();
        assert!(text.contains(sentence) && text.lines().count() == 1, "{text}");
    }
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_managers_of_windows_and_macos_find_open_and_change_the_granted_folder() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("file-managers", &gate.address.to_string());
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    make_writable(&lockbox, request).await;
    let shown = access_token(&lockbox, request).await;
    let status =
        async |method: &str, path: &str, more: &[(&str, &str)]| files.ask(method, path, Some(&shown), more).await.0;

    // On their way down they look at the root and at the folders above.
    for above in ["/", "/sites", "/sites/"] {
        let (found, text) = files.ask("PROPFIND", above, Some(&shown), &[("depth", "0")]).await;
        assert_eq!(found, StatusCode::MULTI_STATUS, "{above}");
        assert!(text.contains("collection") && !text.contains("site-") && !text.contains("getlastmodified"), "{text}");
        let options = files.answer("OPTIONS", above, Some(&shown), &[], "").await;
        assert_eq!(
            (options.status(), &options.headers()["dav"]),
            (StatusCode::OK, &"1, 2".parse().unwrap()),
            "{above}"
        );
        let (listed, text) = files.ask("PROPFIND", above, Some(&shown), &[("depth", "1")]).await;
        assert!(listed == StatusCode::FORBIDDEN && !text.contains("site-"), "{above}: {listed}");
    }
    for beside in ["/sites/site-b", "/sites/site-b/", "/site"] {
        assert_eq!(status("PROPFIND", beside, &[("depth", "0")]).await, StatusCode::FORBIDDEN, "{beside}");
    }
    let options = files.answer("OPTIONS", "/sites/site-a/", Some(&shown), &[], "").await;
    let classes: Vec<_> = options.headers().get_all("dav").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(classes.iter().any(|class| class.replace(' ', "") == "1,2"), "{classes:?}");
    let (listed, page) = files.get("/sites/site-a/", &shown).await;
    assert!(listed == StatusCode::OK && page.contains("secret.txt"), "a browser sees a list: {listed}");
    let sent_on = files.answer("GET", "/sites/site-a", Some(&shown), &[], "").await;
    assert_eq!((sent_on.status().as_u16(), &sent_on.headers()["location"]), (301, &"/sites/site-a/".parse().unwrap()));

    let large = vec![b'x'; 3 << 20];
    let put = files.send("PUT", "/sites/site-a/large.bin", Some(&shown), &[], large).await;
    assert_eq!(put.0, StatusCode::CREATED, "three megabytes");
    assert_eq!(status("MKCOL", "/sites/site-a/new", &[]).await, StatusCode::CREATED, "without a slash");
    // Before a proxy that ends TLS the client knows another scheme.
    let secure = |path: &str| {
        [("host", "contoso.example".to_owned()), ("destination", format!("https://contoso.example{path}"))]
    };
    for (method, from, to) in
        [("MOVE", "/sites/site-a/new", "/sites/site-a/renamed"), ("COPY", SECRET, "/sites/site-a/renamed/copy.txt")]
    {
        let more = secure(to);
        let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(status(method, from, &more).await, StatusCode::CREATED, "{method}");
    }
    let more = secure("/sites/site-b/copy.txt");
    let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(status("COPY", SECRET, &more).await, StatusCode::FORBIDDEN);
    // Finder writes names in parts (NFD).
    let decomposed = "/sites/site-a/Bu%CC%88ro.txt";
    assert_eq!(status("PUT", decomposed, &[]).await, StatusCode::CREATED);
    assert_eq!(files.get(decomposed, &shown).await, (StatusCode::OK, "changed".to_owned()));
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn litmus_passes_behind_the_gate() {
    let Some(litmus) = or_skip(debian(&["litmus"], "litmus", &packages(), &progress())) else { return };
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("litmus", &gate.address.to_string());
    let mut asked = site("https://contoso.example/sites/site-a");
    asked["duration_seconds"] = 600.into();
    let request = granted(&lockbox, &asked).await;
    make_writable(&lockbox, request).await;
    let shown = access_token(&lockbox, request).await;
    let root = litmus.root().unwrap_or(Path::new("/")).join("usr");
    let mut command = litmus.command();
    command.env("TESTROOT", root.join("libexec/litmus")).env("HTDOCS", root.join("share/litmus/htdocs"));
    command.current_dir(folder("litmus-logs")).arg("-k");
    command.args([&format!("http://127.0.0.1:{}/sites/site-a/", files.nginx.port), "robin", &shown]);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    for (suite, tests) in [("basic", 16), ("copymove", 13), ("props", 30), ("locks", 41), ("http", 4)] {
        let score = format!("summary for `{suite}': of {tests} tests run: {tests} passed, 0 failed");
        assert!(said.contains(&score), "{suite}: {said}{}", String::from_utf8_lossy(&done.stderr));
    }
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_works_with_the_example_configuration() {
    if or_skip(debian(&["caddy"], "caddy", &packages(), &progress())).is_none() {
        return;
    }
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open("caddy", &gate.address.to_string());
    let configure = |port: u16| {
        let (own, asked, below) =
            (format!("http://:{port}"), gate.address.to_string(), format!("127.0.0.1:{}", files.apache.port));
        let places = [("http://:8091", own.as_str()), ("127.0.0.1:8081", &asked), ("127.0.0.1:8092", &below)];
        moved(include_str!("../../examples/gate/Caddyfile"), &places)
    };
    let caddy = Caddy::start(&folder("caddy-server"), &packages(), configure, &progress()).unwrap();
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    make_writable(&lockbox, request).await;
    let shown = access_token(&lockbox, request).await;
    let client = reqwest::Client::new();
    let ask = async |method: &str, path: &str, token: Option<&str>, to: Option<&str>| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut asking = client.request(method, format!("http://127.0.0.1:{}{path}", caddy.port));
        asking = asking.header("host", "contoso.example");
        if let Some(token) = token {
            asking = asking.basic_auth("robin", Some(token));
        }
        if let Some(to) = to {
            asking = asking.header("destination", to);
        }
        asking.send().await.unwrap()
    };
    let stranger = ask("GET", SECRET, None, None).await;
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.headers()["www-authenticate"], "Basic realm=\"Lockbox\"");
    assert!(stranger.text().await.unwrap().starts_with("Sign in with your Lockbox user name"));
    let good = ask("GET", SECRET, Some(&shown), None).await;
    assert_eq!(good.status(), StatusCode::OK);
    assert_eq!(good.text().await.unwrap(), "content of site-a");
    let no = ask("GET", "/sites/site-b/secret.txt", Some(&shown), None).await;
    assert_eq!(
        (no.status(), &no.headers()["x-lockbox-code"]),
        (StatusCode::FORBIDDEN, &"not_covered".parse().unwrap())
    );
    assert!(no.text().await.unwrap().contains("another resource"));
    let moved = ask("COPY", SECRET, Some(&shown), Some("https://contoso.example/sites/site-a/copy.txt")).await;
    assert_eq!(moved.status(), StatusCode::CREATED);
    let out = ask("COPY", SECRET, Some(&shown), Some("https://contoso.example/sites/site-b/copy.txt")).await;
    assert_eq!(out.status(), StatusCode::FORBIDDEN);
    end(&lockbox, request).await;
    assert_eq!(ask("GET", SECRET, Some(&shown), None).await.status(), StatusCode::UNAUTHORIZED);
    gate.close().await;
    let away = ask("GET", SECRET, Some(&shown), None).await;
    assert!(away.status().is_server_error(), "no gate, no content: {}", away.status());
    caddy.stop();
    files.stop();
    lockbox.finish().await;
}
