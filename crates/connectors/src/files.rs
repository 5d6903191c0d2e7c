//! A site of files behind a proxy that calls the gate: the grant's row alone opens and closes access.
//!
//! Opening and closing do nothing here. The connector only reads the state back, and checks that the site is really behind the
//! gate.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, redirect::Policy};
use uuid::Uuid;

use crate::order::{Connector, Fault, Found, Order};

/// Time limit of a call to the gate or the site.
const LIMIT: Duration = Duration::from_secs(5);

/// One site.
#[derive(Clone, Debug)]
pub struct Files {
    client: Client,
    gate: String,
    canary: Option<String>,
}

impl Files {
    /// A site behind the gate at this URL. The canary is the URL of a page on the site that requires an access token.
    ///
    /// # Errors
    /// When the HTTP client cannot be created.
    pub fn new(gate: &str, canary: Option<String>) -> Result<Self, Fault> {
        let client = Client::builder().timeout(LIMIT).redirect(Policy::none()).build();
        let client = client.map_err(|fault| Fault::Permanent(fault.to_string()))?;
        Ok(Self { client, gate: gate.trim_end_matches('/').to_owned(), canary })
    }

    async fn status(&self, address: &str) -> Result<StatusCode, Fault> {
        let answer = self.client.get(address).send().await;
        answer.map(|answer| answer.status()).map_err(|fault| Fault::Transient(format!("{address}: {fault}")))
    }
}

#[async_trait]
impl Connector for Files {
    async fn open(&self, _order: &Order) -> Result<(), Fault> {
        Ok(())
    }

    async fn close(&self, _order: &Order) -> Result<(), Fault> {
        Ok(())
    }

    async fn terminate_sessions(&self, _order: &Order) -> Result<u64, Fault> {
        // The proxy calls the gate for every request, so that there are no sessions.
        Ok(0)
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        match self.status(&format!("{}/v1/open/{}", self.gate, order.grant)).await? {
            StatusCode::NO_CONTENT => return Ok(Found::Open),
            StatusCode::FORBIDDEN => {}
            other => return Err(Fault::Transient(format!("the gate responded with {other}"))),
        }
        let Some(canary) = &self.canary else { return Ok(Found::Closed) };
        match self.status(canary).await? {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Found::Closed),
            status if status.is_success() || status.is_redirection() => Ok(Found::Open),
            other => Err(Fault::Transient(format!("the site responded with {other}"))),
        }
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        Ok(Vec::new())
    }
}
