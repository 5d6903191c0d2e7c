//! Symbolic links in the content: no method follows one out of what was granted.

use std::os::unix::fs::symlink;
use std::path::Path;

use reqwest::StatusCode;

use crate::gate::{Gate, access_token, granted, make_writable, site};
use crate::harness::{Lockbox, ROLES};
use crate::target_servers::FileSite;

const LOCK: &str = r#"<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"#;
const PROPERTY: &str = r#"<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>"#;
/// The links of the granted site and their targets.
const LINKS: [(&str, &str); 6] = [
    ("folder", "../site-b"),
    ("file", "../site-b/secret.txt"),
    ("out", "/etc/passwd"),
    ("nowhere", "../site-b/made-by-link.txt"),
    ("deep/folder", "../../site-b"),
    ("deep/file", "../../site-b/secret.txt"),
];

fn prepare(files: &Path) {
    let granted = files.join("sites/site-a");
    std::fs::create_dir_all(granted.join("deep")).unwrap();
    std::fs::write(granted.join("deep/plain.txt"), "plain").unwrap();
    std::fs::write(granted.join("plain.txt"), "plain").unwrap();
    for (name, to) in LINKS {
        symlink(to, granted.join(name)).unwrap();
    }
}

/// All files of a folder with their contents, without WebDAV's own files.
fn all(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        if path.is_symlink() {
            found.push((name, format!("-> {}", std::fs::read_link(&path).unwrap().display())));
        } else if path.is_dir() {
            found.push((name, "folder".to_owned()));
            found.extend(all(&path));
        } else {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_follows_a_symbolic_link_out_of_the_granted_folder() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open_with("links", &gate.address.to_string(), prepare);
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    make_writable(&lockbox, request).await;
    let shown = access_token(&lockbox, request).await;
    let before = all(&files.files);
    assert!(before.iter().filter(|(_, what)| what.starts_with("->")).count() == LINKS.len());
    let through = [
        "folder",
        "folder/",
        "folder/secret.txt",
        "folder/new.txt",
        "file",
        "out",
        "nowhere",
        "deep/folder/secret.txt",
        "deep/file",
    ];
    for (method, body) in [
        ("GET", ""),
        ("HEAD", ""),
        ("PROPFIND", ""),
        ("PUT", "changed"),
        ("DELETE", ""),
        ("MKCOL", ""),
        ("LOCK", LOCK),
        ("PROPPATCH", PROPERTY),
        ("UNLOCK", ""),
    ] {
        for path in through {
            let more = [("depth", "1"), ("lock-token", "<opaquelocktoken:x>")];
            let more = if method == "PROPFIND" {
                &more[..1]
            } else if method == "UNLOCK" {
                &more[1..]
            } else {
                &[]
            };
            let (said, text) = files.send(method, &format!("/sites/site-a/{path}"), Some(&shown), more, body).await;
            assert_eq!(said, StatusCode::FORBIDDEN, "{method} {path}: {text}");
            assert!(!text.contains("content of site-b") && !text.contains("root:"), "{method} {path}: {text}");
        }
    }
    let to = |path: &str| format!("http://127.0.0.1:{}/sites/site-a/{path}", files.nginx.port);
    for method in ["COPY", "MOVE"] {
        for (from, onto) in through
            .map(|from| (from, "taken"))
            .into_iter()
            .chain(through.map(|onto| ("plain.txt", onto)))
            .chain([("deep", "folder/deep"), ("deep/", "folder")])
        {
            let destination = to(onto);
            let (said, text) = files
                .ask(method, &format!("/sites/site-a/{from}"), Some(&shown), &[("destination", &destination)])
                .await;
            assert!(said.is_client_error() || said.is_server_error(), "{method} {from} to {onto}: {said} {text}");
        }
    }
    assert_eq!(all(&files.files), before, "nothing has changed anywhere");

    let (listed, text) = files.ask("PROPFIND", "/sites/site-a/", Some(&shown), &[("depth", "1")]).await;
    assert!(listed == StatusCode::MULTI_STATUS && text.contains("plain.txt") && text.contains("/deep/"), "{text}");
    let page = files.get("/sites/site-a/", &shown).await.1;
    for (name, _) in LINKS {
        assert!(
            !text.contains(&format!("site-a/{name}<")) && !page.contains(&format!("\"{name}\"")),
            "{name} is listed"
        );
    }
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_with_links_are_copied_moved_and_deleted_without_the_link_targets() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let files = FileSite::open_with("links-in-folders", &gate.address.to_string(), prepare);
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    make_writable(&lockbox, request).await;
    let shown = access_token(&lockbox, request).await;
    let beside = all(&files.files.join("sites/site-b"));
    let to = |path: &str| format!("http://127.0.0.1:{}/sites/site-a/{path}", files.nginx.port);
    let send = async |method: &str, from: &str, onto: &str| {
        let destination = to(onto);
        files.ask(method, &format!("/sites/site-a/{from}"), Some(&shown), &[("destination", &destination)]).await.0
    };
    assert_eq!(send("COPY", "deep", "copy").await, StatusCode::CREATED);
    assert_eq!(files.get("/sites/site-a/copy/plain.txt", &shown).await, (StatusCode::OK, "plain".to_owned()));
    let copied = all(&files.files.join("sites/site-a/copy"));
    assert_eq!(copied.len(), 1, "a link is not copied, and neither is what it leads to: {copied:?}");
    assert_eq!(send("MOVE", "deep", "moved").await, StatusCode::CREATED);
    for path in ["moved/folder/secret.txt", "moved/file", "copy/folder/secret.txt", "copy/file"] {
        let (said, text) = files.get(&format!("/sites/site-a/{path}"), &shown).await;
        assert!(!said.is_success() && !text.contains("content of site-b"), "{path}: {said}");
    }
    assert_eq!(files.ask("DELETE", "/sites/site-a/copy/", Some(&shown), &[]).await.0, StatusCode::NO_CONTENT);
    let deleted = files.ask("DELETE", "/sites/site-a/moved/", Some(&shown), &[]).await.0;
    assert!(deleted.is_success() || deleted.is_server_error(), "{deleted}");
    assert_eq!(all(&files.files.join("sites/site-b")), beside, "what the links lead to stays");

    // Onto itself, below itself, and onto what it lies in: nothing is lost.
    assert_eq!(files.ask("MKCOL", "/sites/site-a/kept", Some(&shown), &[]).await.0, StatusCode::CREATED);
    assert_eq!(files.ask("PUT", "/sites/site-a/kept/x.txt", Some(&shown), &[]).await.0, StatusCode::CREATED);
    for method in ["COPY", "MOVE"] {
        for (from, onto) in [
            ("kept", "kept"),
            ("kept/", "kept/below"),
            ("kept", "kept/below/further"),
            ("kept/x.txt", "kept/x.txt"),
            ("kept/x.txt", "kept"),
            ("kept/x.txt", "kept/x.txt/y"),
        ] {
            let said = send(method, from, onto).await;
            assert_eq!(said, StatusCode::FORBIDDEN, "{method} {from} to {onto}");
            let (kept, text) = files.get("/sites/site-a/kept/x.txt", &shown).await;
            assert_eq!((kept, text.as_str()), (StatusCode::OK, "changed"), "after {method} {from} to {onto}");
        }
    }
    gate.close().await;
    files.stop();
    lockbox.finish().await;
}
