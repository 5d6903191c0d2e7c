//! Saved searches of the audit log.

use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// A saved search.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SavedSearch {
    /// The owner's name for it.
    pub name: String,
    /// The query part of the page's URL.
    pub query: String,
}

const OF: &str = "select name, query from saved_searches where person = $1 order by name";
const KEEP: &str = "insert into saved_searches (person, name, query) \
                    select $1, $2, $3 where (select count(*) from saved_searches where person = $1) < 100 \
                    on conflict (person, name) do update set query = excluded.query, saved_at = clock_timestamp()";
const FORGET: &str = "delete from saved_searches where person = $1 and name = $2";

impl Store {
    /// The saved searches of a person, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn searches(&self, person: Uuid) -> Result<Vec<SavedSearch>, Error> {
        sqlx::query_as(OF).bind(person).fetch_all(&self.pool).await.map_err(Error::at("reading searches"))
    }

    /// Saves a search, at most 100 per person; one with the same name is replaced.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn save_search(&self, person: Uuid, name: &str, query: &str) -> Result<(), Error> {
        let keeping = sqlx::query(KEEP).bind(person).bind(name).bind(query).execute(&self.pool);
        keeping.await.map_err(Error::at("saving a search"))?;
        Ok(())
    }

    /// Deletes a saved search.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_search(&self, person: Uuid, name: &str) -> Result<(), Error> {
        let forgetting = sqlx::query(FORGET).bind(person).bind(name).execute(&self.pool);
        forgetting.await.map_err(Error::at("deleting a search"))?;
        Ok(())
    }
}
