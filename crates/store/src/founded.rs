//! Whether a tenant has an authority of its own, and what its first statement begins with.

use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

const FOUNDED: &str = "select is_founded($1)";
const WITNESSES: &str = "select name, key from witnesses where tenant = $1 order by name, key";

impl Store {
    /// Whether a tenant has an authority of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_authority(&self, tenant: Uuid) -> Result<bool, Error> {
        let reading = sqlx::query_scalar(FOUNDED).bind(tenant).fetch_one(&self.pool);
        reading.await.map_err(Error::at("checking whether a tenant is founded"))
    }

    /// Name and key of each witness of a tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn witnesses_of(&self, tenant: Uuid) -> Result<Vec<(String, String)>, Error> {
        let reading = sqlx::query_as(WITNESSES).bind(tenant).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading the witnesses of a tenant"))
    }
}
