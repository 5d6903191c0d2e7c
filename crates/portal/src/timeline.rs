//! The events of a request as its page shows them: comments, notifications and the timeline.

use domain::titles;
use runtime::output::data;
use store::audit::AuditRow;

use super::format::DisplayTime;

/// A comment on the request.
pub(super) struct Comment {
    pub name: String,
    /// `vendor` or `customer`.
    pub side: String,
    pub text: String,
    pub at: DisplayTime,
}

/// A notification by mail.
pub(super) struct Notification {
    pub address: String,
    pub about: String,
    pub at: DisplayTime,
    /// Why it was not delivered.
    pub error: Option<String>,
}

/// One event in the timeline.
pub(super) struct TimelineEvent {
    pub id: String,
    pub at: DisplayTime,
    pub who: String,
    /// What happened, in words.
    pub what: String,
    pub type_name: String,
    /// Comment, recipient, error or cause.
    pub details: String,
}

/// What an event says beside who did what.
fn details(type_name: &str, data: &serde_json::Value) -> String {
    let fields = [("comment", ""), ("message", ""), ("recipient", "to "), ("error", "")];
    let mut parts: Vec<String> =
        fields.iter().filter_map(|(name, prefix)| data[*name].as_str().map(|text| format!("{prefix}{text}"))).collect();
    if let Some(cause) = data["cause"].as_str().filter(|_| type_name == "grant.ended") {
        parts.push(titles::ended(cause).to_owned());
    }
    parts.join("; ")
}

/// The events of a request, oldest first.
pub(super) struct Timeline {
    pub comments: Vec<Comment>,
    pub notifications: Vec<Notification>,
    /// Every event but notifications, which have a list of their own.
    pub events: Vec<TimelineEvent>,
}

impl Timeline {
    pub fn of(rows: &[AuditRow]) -> Self {
        let mut timeline = Self { comments: Vec::new(), notifications: Vec::new(), events: Vec::new() };
        for row in rows {
            let data = data(&row.body);
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            match row.type_name.as_str() {
                "request.commented" => timeline.comments.push(Comment {
                    name: text(&data["actor"]["display_name"]),
                    side: text(&data["actor"]["side"]),
                    text: text(&data["comment"]),
                    at: row.at.into(),
                }),
                "notification.sent" | "notification.failed" => {
                    timeline.notifications.push(Notification {
                        address: text(&data["recipient"]),
                        about: titles::sentence(&text(&data["template"])),
                        at: row.at.into(),
                        error: data["error"].as_str().map(str::to_owned),
                    });
                    continue;
                }
                _ => {}
            }
            let actor = &data["actor"];
            let who = actor["display_name"].as_str().or_else(|| actor["name"].as_str()).unwrap_or("Lockbox");
            timeline.events.push(TimelineEvent {
                id: row.id.to_string(),
                at: row.at.into(),
                who: who.to_owned(),
                what: titles::action(&row.type_name),
                type_name: row.type_name.clone(),
                details: details(&row.type_name, &data),
            });
        }
        timeline
    }

    /// Whether a notification was not delivered.
    pub fn has_failed_notification(&self) -> bool {
        self.notifications.iter().any(|notification| notification.error.is_some())
    }
}
