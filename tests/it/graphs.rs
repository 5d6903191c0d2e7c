//! Graphs and alerts use metrics that processes really export, and cover every role.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use workers::RoleName;
use workers::metric_list::{DEAD_LETTERS, GATE, METRICS, MetricKind};

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

/// Names of Lockbox' metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("lockbox_")).map(str::to_owned).collect()
}

/// Metrics that the code records, with the names under which a histogram is read.
fn recorded() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["workers/src", "src", "crates"] {
        sources(&project(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        for (kind, parts) in [("counter", &[""][..]), ("gauge", &[""]), ("histogram", &["_bucket", "_sum", "_count"])] {
            for after in file.split(&format!("metrics::{kind}!(")).skip(1) {
                let name = after.trim_start().trim_start_matches('"').split('"').next().unwrap();
                // The list itself names them by a variable.
                if !name.starts_with("lockbox_") {
                    continue;
                }
                names.extend(parts.iter().map(|part| format!("{name}{part}")));
            }
        }
    }
    names
}

#[test]
fn every_graph_and_alert_uses_a_metric_that_exists() {
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
            let base = metric.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            assert!(operations.contains(base), "{} asks {metric}, which operations.md does not explain", rule["alert"]);
        }
        assert!(rule["annotations"]["next"].is_string(), "{} names no next step", rule["alert"]);
        asked.extend(metrics);
    }
    let unknown: Vec<_> = asked.difference(&recorded).collect();
    assert!(unknown.is_empty(), "nobody records {unknown:?}");
}

#[test]
fn every_role_is_scraped_and_has_a_service() {
    let compose: Value = serde_saphyr::from_str(&text("docker-compose.yml")).unwrap();
    let scraped: Value = serde_saphyr::from_str(&text("deploy/prometheus/prometheus.yml")).unwrap();
    let names = scraped["scrape_configs"][0]["dns_sd_configs"][0]["names"].as_array().unwrap();
    let services = compose["services"].as_object().unwrap();
    for name in names {
        assert!(services.contains_key(name.as_str().unwrap()), "{name} is no service");
    }
    for name in ["gate", "portal", "forward"] {
        assert!(names.iter().any(|known| known == name), "nobody looks at {name}");
        let environment = services[name]["environment"].as_object().or(compose["x-lockbox"]["environment"].as_object());
        assert_eq!(environment.unwrap()["LOCKBOX_ADMIN_LISTEN"], "0.0.0.0:9464", "{name} can be asked");
    }
    for role in RoleName::ALL {
        let works = |name: &&Value| services[name.as_str().unwrap()]["command"][1] == role.as_str();
        assert!(names.iter().any(|name| works(&name)), "nobody looks at {}", role.as_str());
    }
}

/// The text after each of these marks in the sources.
fn words_after(marks: &[&str]) -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["workers/src", "src", "crates"] {
        sources(&project(folder), &mut files);
    }
    let after = |file: &str, mark: &str| {
        let found = file.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        found.collect::<Vec<_>>()
    };
    files.iter().flat_map(|file| marks.iter().flat_map(|mark| after(file, mark)).collect::<Vec<_>>()).collect()
}

#[test]
fn every_metric_is_in_the_list_the_code_and_the_documentation_with_help() {
    let recorded = recorded();
    let operations = text("docs/operations.md");
    let mut listed = BTreeSet::new();
    for metric in METRICS {
        let parts: &[&str] = match metric.kind {
            MetricKind::Counter | MetricKind::Gauge => &[""],
            MetricKind::Histogram => &["_bucket", "_sum", "_count"],
        };
        listed.extend(parts.iter().map(|part| format!("{}{part}", metric.name)));
        assert!(metric.help.len() > 10 && metric.help.ends_with('.'), "{} has no help", metric.name);
        assert!(operations.contains(&format!("`{}", metric.name)), "operations.md does not explain {}", metric.name);
        assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
    }
    assert_eq!(listed, recorded, "the list and what the code records differ");
    let table = operations.split("| metric | meaning |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let explained: BTreeSet<String> = metrics_in(table);
    let known: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(explained, known, "the table of operations.md and the list differ");
}

#[test]
fn label_values_in_the_list_match_the_code() {
    let dead_letter = words_after(&["code: \"", "Malformed::new(\"", "\"broker."]);
    for reason in DEAD_LETTERS {
        let short = reason.trim_start_matches("broker.");
        assert!(
            dead_letter.contains(*reason) || dead_letter.contains(short),
            "no message is dead-lettered for {reason}"
        );
    }
    let of_messages = |word: &&String| ["schema.", "auth.", "store."].iter().any(|kind| word.starts_with(kind));
    for reason in dead_letter.iter().filter(of_messages) {
        assert!(DEAD_LETTERS.contains(&reason.as_str()), "the list lacks {reason}");
    }
    let code = text("crates/gate/src/code.rs");
    let body = code.split("fn as_str(self)").nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap();
    let codes: Vec<&str> = body.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(codes, GATE);
}
