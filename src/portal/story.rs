//! What happened to one request, told from its events: the thread, the mails, and the whole timeline.

use store::audit::AuditRow;

use super::look::Moment;
use crate::output::data;

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
    pub text: String,
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
                "notice.sent" | "notice.failed" => story.mails.push(Told {
                    address: text(&data["recipient"]),
                    about: text(&data["template"]).replace('_', " "),
                    at: event.at.into(),
                    error: data["error"].as_str().map(str::to_owned),
                }),
                _ => {}
            }
            story.timeline.push(Happened { id: event.id.to_string(), text: crate::cli::event_text(event) });
        }
        story
    }
}
