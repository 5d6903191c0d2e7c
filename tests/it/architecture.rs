//! Rules of the house that are kept by a test: edges point down, one TLS stack, generated pages are true.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// domain ← contracts ← {store ∥ broker ∥ passkeys ∥ connectors} ← workers ← runtime ← operations ←
/// {portal ∥ gate ∥ cli ∥ forward} ← devkit ← bench ← lockbox; servers and tlog stand beside. The store asks evidence, which
/// is pure, whether a verifier would accept an entry.
const EDGES: [(&str, &[&str]); 21] = [
    ("domain", &[]),
    ("consent", &[]),
    ("contracts", &["consent", "domain"]),
    ("store", &["consent", "contracts", "domain", "evidence", "tlog"]),
    ("broker", &[]),
    ("connectors", &[]),
    ("servers", &[]),
    ("tlog", &[]),
    ("evidence", &["consent", "domain", "tlog"]),
    ("passkeys", &["consent", "contracts", "domain"]),
    ("workers", &["broker", "connectors", "consent", "contracts", "domain", "evidence", "passkeys", "store", "tlog"]),
    ("monitor", &["consent", "evidence", "tlog"]),
    ("runtime", &["broker", "connectors", "contracts", "store", "workers"]),
    ("operations", &["contracts", "domain", "evidence", "runtime", "store", "tlog"]),
    (
        "portal",
        &[
            "broker",
            "consent",
            "contracts",
            "domain",
            "evidence",
            "operations",
            "passkeys",
            "runtime",
            "store",
            "workers",
        ],
    ),
    ("gate", &["broker", "contracts", "domain", "runtime", "store", "workers"]),
    (
        "cli",
        &[
            "broker",
            "connectors",
            "consent",
            "contracts",
            "domain",
            "evidence",
            "monitor",
            "operations",
            "runtime",
            "store",
            "tlog",
            "workers",
        ],
    ),
    ("forward", &["broker", "evidence", "runtime", "store", "workers"]),
    (
        "devkit",
        &[
            "broker",
            "contracts",
            "domain",
            "evidence",
            "gate",
            "operations",
            "portal",
            "runtime",
            "servers",
            "store",
            "tlog",
            "workers",
        ],
    ),
    (
        "bench",
        &[
            "broker",
            "contracts",
            "devkit",
            "domain",
            "evidence",
            "gate",
            "operations",
            "portal",
            "runtime",
            "servers",
            "store",
            "tlog",
            "workers",
        ],
    ),
    ("lockbox", &["bench", "cli", "devkit", "forward", "gate", "portal", "runtime"]),
];

#[test]
fn edges_point_down_and_only_the_store_knows_sql_and_only_the_broker_knows_amqp() {
    let metadata =
        MetadataCommand::new().manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).exec().unwrap();
    let expected: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let packages = metadata.workspace_packages();
    assert_eq!(packages.len(), expected.len(), "a new crate needs a place in the house");
    for package in packages {
        let normal: Vec<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str())
            .collect();
        let mut inside: Vec<&str> = normal.iter().copied().filter(|name| expected.contains_key(name)).collect();
        inside.sort_unstable();
        assert_eq!(inside, expected[package.name.as_str()], "edges of {}", package.name);
        // Lockbox' own database is known to the store alone; a target of a connector may be a Postgres too.
        let may_know = matches!(package.name.as_str(), "store" | "connectors");
        assert_eq!(normal.contains(&"sqlx"), may_know, "sqlx in {}", package.name);
        assert_eq!(normal.contains(&"lapin"), package.name.as_str() == "broker", "lapin in {}", package.name);
    }
}

#[test]
fn the_program_has_one_tls_stack() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--package", "lockbox"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("rustls v"), "the tree was listed");
    for other in ["openssl-sys v", "native-tls v", "aws-lc-sys v", "aws-lc-rs v"] {
        assert!(!tree.contains(other), "{other} is in the tree");
    }
}

fn lifecycle_page() -> String {
    let mut page = String::from(
        "# The lifecycle\n\nGenerated from `domain::lifecycle::transition`; a test compares the two. To generate it again: \
         `LOCKBOX_BLESS=1 cargo test --test it lifecycle_page`.\n\n```mermaid\nstateDiagram-v2\n    [*] --> pending_vendor: request.submitted\n",
    );
    let rows = domain::lifecycle::chart();
    for row in &rows {
        if let Ok(to) = row.outcome {
            page.push_str(&format!("    {} --> {to}: {}\n", row.state, row.fact));
        }
    }
    page.push_str(
        "```\n\nAn approval that is not the last required one leaves a request in `pending_customer`; the table shows the last approval.\n\n",
    );
    page.push_str("| state | fact | next | events | timers |\n|---|---|---|---|---|\n");
    for row in &rows {
        let next = match row.outcome {
            Ok(to) => format!("**{to}**"),
            Err(code) => format!("refused: `{code}`"),
        };
        page.push_str(&format!(
            "| {} | {} | {next} | {} | {} |\n",
            row.state,
            row.fact,
            row.events.join(", "),
            row.timers.join(", ")
        ));
    }
    page
}

#[test]
fn the_lifecycle_page_says_what_the_lifecycle_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lifecycle.md");
    #[allow(clippy::disallowed_methods, reason = "the way to print the page again")]
    if std::env::var_os("LOCKBOX_BLESS").is_some() {
        std::fs::write(&path, lifecycle_page()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == lifecycle_page(), "docs/lifecycle.md is old; print it again as it says at its top");
}
