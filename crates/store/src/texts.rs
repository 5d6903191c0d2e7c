//! What people wrote, stored beside the events that commit to it, filled in for readers, and redacted on request.

use contracts::envelope::Message;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

mod redact;

pub use redact::Redaction;

/// What readers see in place of a redacted text.
pub use domain::REDACTED;

/// Whose texts to redact.
#[derive(Clone, Debug)]
pub enum Whose {
    /// All texts about one request.
    Request(Uuid),
    /// All texts by one person, by short name.
    Person(String),
}

/// A text that is not redacted, for an export.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TextRow {
    /// The event that commits to it.
    pub event: Uuid,
    /// The field of its data.
    pub field: String,
    /// Its salt.
    pub salt: Vec<u8>,
    /// The text.
    pub text: String,
}

const INSERT: &str = "insert into texts (event, field, commitment, salt, text) \
                    select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::text[]) \
                    on conflict (event, field) do nothing";
const UNREDACTED: &str = "select event, field, salt, text from texts where text is not null and event = any($1) \
                    order by event, field";

/// Stores the texts of messages in the transaction that writes the messages.
pub(crate) async fn persist_texts(tx: &mut Transaction<'static, Postgres>, messages: &[Message]) -> Result<(), Error> {
    let texts: Vec<_> =
        messages.iter().flat_map(|message| message.texts.iter().map(move |text| (message.id, text))).collect();
    if texts.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(texts.iter().map(|(event, _)| *event).collect::<Vec<_>>())
        .bind(texts.iter().map(|(_, text)| text.field).collect::<Vec<_>>())
        .bind(texts.iter().map(|(_, text)| text.commitment.to_vec()).collect::<Vec<_>>())
        .bind(texts.iter().map(|(_, text)| text.salt.to_vec()).collect::<Vec<_>>())
        .bind(texts.iter().map(|(_, text)| text.text.as_str()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("storing texts"))?;
    Ok(())
}

impl Store {
    /// The texts of these events that are not redacted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn texts_of(&self, events: &[Uuid]) -> Result<Vec<TextRow>, Error> {
        let reading = sqlx::query_as(UNREDACTED).bind(events).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading texts"))
    }
}
