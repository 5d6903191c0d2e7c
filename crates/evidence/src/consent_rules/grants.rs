//! Rule 9: access activity and provisioning are inside a grant, its resource and its time, whichever entry comes first.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::Event;
use crate::event::parse_time;

/// Longest time between reading the clock for the end of access and its effect.
const COMMIT_DELAY: TimeDelta = TimeDelta::seconds(60);
/// Longest time by which a clock correction may put an event earlier.
const CLOCK_STEP: TimeDelta = TimeDelta::seconds(1);
/// Resources in `grant.used` are cut to so many characters.
const RESOURCE_LIMIT: usize = 1024;

/// A use or a provisioning that is compared with its grant.
#[derive(Clone, Debug)]
struct Inside {
    index: u64,
    at: DateTime<Utc>,
    /// The use; none for a provisioning.
    activity: Option<Activity>,
}

/// An allowed use.
#[derive(Clone, Debug)]
struct Activity {
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    resource: String,
}

/// A grant, as far as the log records it.
#[derive(Clone, Debug, Default)]
pub(super) struct Grant {
    /// Whether the log is examined from the start of the request.
    is_complete: bool,
    pub activated: Option<(u64, DateTime<Utc>)>,
    pub access_from: Option<DateTime<Utc>>,
    pub access_until: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Allowed checks.
    pub uses: i64,
    inside: Vec<Inside>,
    /// Last use so far, to compare with an end that is recorded later.
    last: Option<(u64, DateTime<Utc>)>,
}

/// All grants of a log, by request.
#[derive(Default)]
pub(super) struct Grants(HashMap<String, Grant>);

impl Grants {
    /// Activated grants in the order of the log.
    pub fn activated(&self) -> Vec<(&String, &Grant)> {
        let mut activated: Vec<_> = self.0.iter().filter(|(_, grant)| grant.activated.is_some()).collect();
        activated.sort_by_key(|(_, grant)| grant.activated);
        activated
    }

    /// Adds an event. Returns what is wrong, with the index of the entry.
    pub fn add(&mut self, index: u64, event: &Event, resource: Option<&str>, is_complete: bool) -> Vec<(u64, String)> {
        let data = event.data();
        let is_use = event.kind == "grant.used" && data["allowed"] == true;
        if is_use && (event.request.is_none() || data["request"].as_str() != event.request.as_deref()) {
            return vec![(index, "an allowed use belongs to no grant".to_owned())];
        }
        let Some(request) = event.request.as_ref() else { return Vec::new() };
        let time = |name: &str| data[name].as_str().and_then(parse_time);
        match event.kind.as_str() {
            "grant.activated" | "grant.ended" | "grant.provisioned" => {}
            "grant.used" if is_use => {}
            _ => return Vec::new(),
        }
        let grant = self.0.entry(request.clone()).or_insert_with(|| Grant { is_complete, ..Grant::default() });
        match event.kind.as_str() {
            "grant.activated" => {
                grant.activated.get_or_insert((index, event.at));
                grant.access_from = time("access_from");
                grant.access_until = time("access_until");
                std::mem::take(&mut grant.inside)
                    .iter()
                    .flat_map(|inside| grant.problems(inside, resource).into_iter().map(|words| (inside.index, words)))
                    .collect()
            }
            "grant.ended" => {
                let limit = *grant.ended_at.get_or_insert(event.at) + COMMIT_DELAY;
                let late = grant.last.filter(|(_, at)| *at > limit);
                late.map(|(index, _)| (index, AFTER_THE_END.to_owned())).into_iter().collect()
            }
            _ => {
                let place = data["resource"].as_str().unwrap_or_default().to_owned();
                let used = Activity { first: time("first_at"), last: time("last_at"), resource: place };
                let inside = Inside { index, at: event.at, activity: is_use.then_some(used) };
                if is_use {
                    grant.uses += data["count"].as_i64().unwrap_or(1);
                }
                if grant.activated.is_none() {
                    grant.inside.push(inside);
                    return Vec::new();
                }
                grant.problems(&inside, resource).into_iter().map(|words| (index, words)).collect()
            }
        }
    }

    /// Uses and provisioning without a grant, at the end of the examination.
    pub fn without_grant(&self) -> Vec<(u64, String)> {
        let open = self.0.values().filter(|grant| grant.is_complete && grant.activated.is_none());
        let mut found: Vec<(u64, String)> = open
            .flat_map(|grant| &grant.inside)
            .map(|inside| (inside.index, "access was used or provisioned without a grant".to_owned()))
            .collect();
        found.sort();
        found
    }
}

const AFTER_THE_END: &str = "access was used after it ended";

impl Grant {
    fn problems(&mut self, inside: &Inside, resource: Option<&str>) -> Vec<String> {
        let mut found = Vec::new();
        let mut must = |holds: bool, words: &str| {
            if !holds {
                found.push(words.to_owned());
            }
        };
        let Some(Activity { first, last, resource: used }) = &inside.activity else {
            let is_after = self.activated.is_some_and(|(_, activated)| inside.at >= activated - CLOCK_STEP);
            must(is_after, "access was provisioned before it was active");
            let is_before = self.access_until.is_some_and(|until| inside.at <= until + COMMIT_DELAY);
            must(is_before, "access was provisioned after its end");
            return found;
        };
        must(first.is_some() && *first >= self.access_from && first <= last, "access was used before it was active");
        must(last.is_some() && *last < self.access_until, "access was used after its duration was over");
        if let Some(last) = *last {
            must(self.ended_at.is_none_or(|ended| last <= ended + COMMIT_DELAY), AFTER_THE_END);
            if self.last.is_none_or(|(_, latest)| latest < last) {
                self.last = Some((inside.index, last));
            }
        }
        if let Some(resource) = resource {
            must(is_below(resource, used), "access was used for a resource that was not granted");
        }
        found
    }
}

/// Whether a used resource is the granted one or below it.
fn is_below(granted: &str, used: &str) -> bool {
    let whole = if used.chars().count() >= RESOURCE_LIMIT {
        // The last segment may be incomplete.
        used.rsplit_once('/').map_or(used, |(whole, _)| whole)
    } else {
        used
    };
    domain::scope::covers(granted, whole)
}
