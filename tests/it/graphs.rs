//! Graphs and alarms ask for metrics that processes really have, and look at every role.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use workers::RoleName;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// Every `.rs` file below a folder.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Words that name a metric of ours.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("lockbox_")).map(str::to_owned).collect()
}

/// Metrics that the code records, with the names under which a histogram is read.
fn recorded() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&project("workers/src"), &mut files);
    sources(&project("src"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        for (kind, parts) in [("counter", &[""][..]), ("gauge", &[""]), ("histogram", &["_bucket", "_sum", "_count"])] {
            for after in file.split(&format!("metrics::{kind}!(")).skip(1) {
                let name = after.trim_start().trim_start_matches('"').split('"').next().unwrap();
                names.extend(parts.iter().map(|part| format!("{name}{part}")));
            }
        }
    }
    names
}

#[test]
fn every_graph_and_alarm_asks_for_a_metric_that_is_recorded() {
    let recorded = recorded();
    assert!(recorded.contains("lockbox_messages_total"), "{recorded:?}");
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/lockbox.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let graphs = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut asked: BTreeSet<String> = graphs.flat_map(|target| metrics_in(target["expr"].as_str().unwrap())).collect();
    assert!(asked.len() > 20, "{asked:?}");
    let alarms: Value = serde_saphyr::from_str(&text("deploy/prometheus/alerts.yml")).unwrap();
    let operations = text("docs/operations.md");
    for rule in alarms["groups"][0]["rules"].as_array().unwrap() {
        let metrics = metrics_in(rule["expr"].as_str().unwrap());
        for metric in &metrics {
            assert!(
                operations.contains(metric),
                "{} asks {metric}, which operations.md does not explain",
                rule["alert"]
            );
        }
        assert!(rule["annotations"]["next"].is_string(), "{} names no next step", rule["alert"]);
        asked.extend(metrics);
    }
    let unknown: Vec<_> = asked.difference(&recorded).collect();
    assert!(unknown.is_empty(), "nobody records {unknown:?}");
}

#[test]
fn every_role_is_looked_at_and_has_its_service() {
    let compose: Value = serde_saphyr::from_str(&text("docker-compose.yml")).unwrap();
    let scraped: Value = serde_saphyr::from_str(&text("deploy/prometheus/prometheus.yml")).unwrap();
    let names = scraped["scrape_configs"][0]["dns_sd_configs"][0]["names"].as_array().unwrap();
    let services = compose["services"].as_object().unwrap();
    for name in names {
        assert!(services.contains_key(name.as_str().unwrap()), "{name} is no service");
    }
    for role in RoleName::ALL {
        let works = |name: &&Value| services[name.as_str().unwrap()]["command"][1] == role.as_str();
        assert!(names.iter().any(|name| works(&name)), "nobody looks at {}", role.as_str());
    }
}
