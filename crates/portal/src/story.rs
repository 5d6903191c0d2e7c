//! What happened to one request, told from its events: the thread, the mails, and the whole timeline.

use domain::titles;
use store::audit::AuditRow;

use super::look::Moment;
use runtime::output::data;

/// A question or an answer.
pub(super) struct Said {
    pub name: String,
    /// `vendor` or `customer`.
    pub side: String,
    pub text: String,
    pub at: Moment,
}

/// What became of one mail.
pub(super) struct Told {
    pub address: String,
    pub about: String,
    pub at: Moment,
    /// Why it was given up on.
    pub error: Option<String>,
}

/// One event in the timeline.
pub(super) struct Happened {
    pub id: String,
    pub at: Moment,
    pub who: String,
    /// What they did, in words and as the log names it.
    pub what: String,
    pub type_name: String,
    /// What was said or came of it.
    pub more: String,
}

/// What an event says beside who did what.
fn more(type_name: &str, data: &serde_json::Value) -> String {
    let told = [("comment", ""), ("message", ""), ("recipient", "to "), ("error", "")];
    let mut parts: Vec<String> =
        told.iter().filter_map(|(name, before)| data[*name].as_str().map(|text| format!("{before}{text}"))).collect();
    if let Some(cause) = data["cause"].as_str().filter(|_| type_name == "grant.ended") {
        parts.push(titles::ended(cause).to_owned());
    }
    parts.join("; ")
}

/// The events of a request, oldest first, as its page shows them.
pub(super) struct Story {
    pub thread: Vec<Said>,
    pub mails: Vec<Told>,
    pub timeline: Vec<Happened>,
}

impl Story {
    pub fn of(events: &[AuditRow]) -> Self {
        let mut story = Self { thread: Vec::new(), mails: Vec::new(), timeline: Vec::new() };
        for event in events {
            let data = data(&event.body);
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            match event.type_name.as_str() {
                "request.commented" => story.thread.push(Said {
                    name: text(&data["actor"]["display_name"]),
                    side: text(&data["actor"]["side"]),
                    text: text(&data["comment"]),
                    at: event.at.into(),
                }),
                "notification.sent" | "notification.failed" => story.mails.push(Told {
                    address: text(&data["recipient"]),
                    about: text(&data["template"]).replace('_', " "),
                    at: event.at.into(),
                    error: data["error"].as_str().map(str::to_owned),
                }),
                _ => {}
            }
            let actor = &data["actor"];
            let who = actor["display_name"].as_str().or_else(|| actor["name"].as_str()).unwrap_or("Lockbox");
            story.timeline.push(Happened {
                id: event.id.to_string(),
                at: event.at.into(),
                who: who.to_owned(),
                what: titles::action(&event.type_name),
                type_name: event.type_name.clone(),
                more: more(&event.type_name, &data),
            });
        }
        story
    }
}
