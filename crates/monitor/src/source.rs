//! Reads a log over HTTP (C2SP tlog-tiles): the checkpoint, the keys, tiles and entries. Nothing is verified here.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tlog::TileId;
use url::Url;

use crate::error::Error;

/// Time limit of one call.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Largest file: 256 entries of the largest size, each with two bytes of length.
const FILE_LIMIT_BYTES: usize = 256 * 65_537;

/// A log at an address.
#[derive(Debug)]
pub(crate) struct Source {
    client: Client,
    address: String,
    token: Option<String>,
}

impl Source {
    /// A log below this address, such as `https://lockbox.fabrikam.example/.well-known/lockbox/contoso`.
    pub fn new(address: &Url, token: Option<String>) -> Result<Self, Error> {
        // A token must not follow a redirect to another host.
        let client = Client::builder().timeout(CALL_LIMIT).redirect(Policy::none()).build();
        let client = client.map_err(|fault| Error::Setting(format!("there is no HTTP client: {fault}")))?;
        Ok(Self { client, address: address.as_str().trim_end_matches('/').to_owned(), token })
    }

    /// The latest checkpoint.
    pub async fn checkpoint(&self) -> Result<String, Error> {
        self.text("checkpoint").await
    }

    /// The public keys that sign the log, one per line.
    pub async fn keys(&self) -> Result<String, Error> {
        self.text("keys").await
    }

    /// The entries of a leaf tile.
    pub async fn entries(&self, id: TileId) -> Result<Vec<u8>, Error> {
        self.read(&id.entries_path()).await
    }

    /// The hashes of a tile.
    pub async fn tile(&self, id: TileId) -> Result<Vec<u8>, Error> {
        self.read(&id.path()).await
    }

    async fn text(&self, path: &str) -> Result<String, Error> {
        let bytes = self.read(path).await?;
        String::from_utf8(bytes).map_err(|_| self.fault(path, "the answer is not text"))
    }

    fn fault(&self, path: &str, why: impl Into<String>) -> Error {
        Error::Unreachable { address: format!("{}/{path}", self.address), why: why.into() }
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let mut request = self.client.get(format!("{}/{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let failed = |fault: reqwest::Error| self.fault(path, chain(&fault));
        let mut response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if path.starts_with("tile/") => {
                let why = "404 Not Found; check that the token is valid and has the scope log:read";
                return Err(self.fault(path, why));
            }
            status => return Err(self.fault(path, format!("the answer is {status}"))),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > FILE_LIMIT_BYTES {
                return Err(self.fault(path, "the answer is too long"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The message of an error with its causes.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}
