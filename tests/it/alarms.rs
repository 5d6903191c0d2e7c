//! Prometheus' own tool checks the exported metrics and tests each alert rule.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::debian;

fn promtool() -> Option<Command> {
    debian(&["prometheus"], "promtool")
}

fn project(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn assert_good(mut command: Command) {
    let done = command.output().unwrap();
    let said = [&done.stdout, &done.stderr].map(|out| String::from_utf8_lossy(out).into_owned()).concat();
    assert!(done.status.success(), "{said}");
}

#[test]
fn every_alert_fires_exactly_when_it_should() {
    let tests = std::fs::read_to_string(project("tests/it/alarms/alerts_test.yml")).unwrap();
    let rules: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(project("deploy/prometheus/alerts.yml")).unwrap()).unwrap();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} has no test");
    }
    let Some(mut promtool) = promtool() else { return };
    promtool.args(["test", "rules", &project("tests/it/alarms/alerts_test.yml")]);
    assert_good(promtool);
}

#[test]
fn prometheus_reads_the_configuration_and_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    // The configuration names the rules where the container has them.
    let configuration = std::fs::read_to_string(project("deploy/prometheus/prometheus.yml")).unwrap();
    let configuration = configuration.replace("/etc/prometheus/alerts.yml", &project("deploy/prometheus/alerts.yml"));
    let path = folder.path().join("prometheus.yml");
    std::fs::write(&path, configuration).unwrap();
    let Some(mut promtool) = promtool() else { return };
    promtool.args(["check", "config"]).arg(path);
    assert_good(promtool);
}

#[test]
fn every_exported_metric_has_help_and_every_counter_starts_at_zero() {
    let recorder = runtime::admin::recorder().unwrap();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, workers::metric_list::describe);
    let exported = handle.render();
    for metric in workers::metric_list::METRICS {
        let has = |text: &str| exported.contains(&format!("{text} {} ", metric.name));
        let is_counter = metric.kind == workers::metric_list::MetricKind::Counter;
        // Those with names from the directory start when it is read.
        let is_named = metric.labels.iter().any(|(_, values)| matches!(values, workers::metric_list::Values::Named));
        assert!(!is_counter || is_named || (has("# HELP") && has("# TYPE")), "{} does not start", metric.name);
    }
    for series in [
        "lockbox_mail_total{outcome=\"failed\"} 0",
        "lockbox_forward_failed_total 0",
        "lockbox_gate_checks_total{code=\"full\"} 0",
        "lockbox_timers_fired_total{by=\"recovery_scan\",kind=\"grant_end\"} 0",
        "lockbox_dead_letters_total{reason=\"auth.forged\"} 0",
        "lockbox_refused_total{code=\"deadline_passed\"} 0",
    ] {
        assert!(exported.lines().any(|line| line == series), "{series} is not in\n{exported}");
    }
    // A gauge and a histogram, as a running process has them.
    metrics::with_local_recorder(&recorder, || {
        metrics::gauge!("lockbox_outbox_waiting").set(1.0);
        metrics::histogram!("lockbox_handle_seconds", "role" => "mail").record(0.2);
    });
    let exported = handle.render();
    let Some(mut promtool) = promtool() else { return };
    let mut child = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(exported.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}\n{exported}", String::from_utf8_lossy(&done.stderr));
}
