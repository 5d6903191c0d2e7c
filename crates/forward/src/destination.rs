//! Where entries go: the address, what is trusted there, and what may go wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::collector::Collector;
use super::fault::Fault;
use super::items::Item;
use super::syslog::Syslog;
use super::token::{Confirm, Token, unreadable};
use runtime::outcome::Failure;

/// What is trusted at the other end, and what it may know us by.
#[derive(Args, Clone, Debug)]
pub struct Trusted {
    /// What counts as a batch that a syslog receiver has taken.
    #[arg(long, env = "LOCKBOX_FORWARD_CONFIRM", value_enum, default_value_t = Confirm::Tcp, value_name = "HOW")]
    confirm: Confirm,
    /// Certificates (PEM) of the authorities that may have signed the other end's certificate [default: the system's].
    #[arg(long, env = "LOCKBOX_FORWARD_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where the other end asks for one.
    #[arg(long, env = "LOCKBOX_FORWARD_CERT_FILE", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, env = "LOCKBOX_FORWARD_KEY_FILE", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Token that an HTTPS collector asks for.
    #[arg(
        long,
        env = "LOCKBOX_FORWARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        conflicts_with = "bearer_file"
    )]
    bearer: Option<String>,
    /// File that holds it; read again for each batch.
    #[arg(long, env = "LOCKBOX_FORWARD_TOKEN_FILE", value_name = "FILE")]
    bearer_file: Option<PathBuf>,
}

/// One end that takes entries.
pub(super) enum Destination {
    Syslog(Syslog),
    Collector(Collector),
}

impl Destination {
    /// Reads the address and the files that go with it.
    pub(super) fn new(to: &Url, trusted: &Trusted) -> Result<Self, Failure> {
        let usage = |words: String| Failure::Usage(format!("--to {to}: {words}"));
        if !to.username().is_empty() || to.password().is_some() {
            return Err(Failure::Usage("--to: no secret belongs in the address; give --bearer-file".to_owned()));
        }
        let host = to.host_str().filter(|host| !host.is_empty()).ok_or_else(|| usage("it names no host".to_owned()))?;
        let is_token = trusted.bearer.is_some() || trusted.bearer_file.is_some();
        match to.scheme() {
            "syslog+tls" if is_token => {
                Err(usage("syslog knows no tokens; give --cert-file and --key-file".to_owned()))
            }
            "syslog+tls" => {
                let config = trusted.client_config()?;
                let port = to.port().unwrap_or(super::syslog::PORT);
                Syslog::new(host, port, config, trusted.confirm).map(Self::Syslog).map_err(usage)
            }
            "http" if !is_here(host) => {
                Err(usage("what leaves this machine goes over https; http is for collectors on it".to_owned()))
            }
            "https" | "http" => {
                let token = match (&trusted.bearer, &trusted.bearer_file) {
                    (Some(token), _) => Token::Given(token.clone()),
                    (None, Some(path)) => Token::File(path.clone()),
                    (None, None) => Token::None,
                };
                Collector::new(to.clone(), token, trusted.client_config()?).map(Self::Collector).map_err(usage)
            }
            _ => Err(usage("write syslog+tls://host:6514 or https://host/path".to_owned())),
        }
    }

    /// Sends a batch; when it returns, the other end has taken all of it.
    pub(super) async fn take(&self, batch: &[Item]) -> Result<(), Fault> {
        match self {
            Self::Syslog(syslog) => syslog.take(batch).await,
            Self::Collector(collector) => collector.take(batch).await,
        }
    }
}

fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl Trusted {
    fn client_config(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca_file {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|fault| Failure::Usage(unreadable(path, &fault)))?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(Failure::Usage("no authority is trusted; give one with --ca-file".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|fault| Failure::Failed(fault.to_string()))?
            .with_root_certificates(roots);
        match (&self.cert_file, &self.key_file) {
            (Some(path), Some(key)) => {
                let own = PrivateKeyDer::from_pem_file(key).map_err(|fault| Failure::Usage(unreadable(key, &fault)))?;
                let builder = builder.with_client_auth_cert(certificates(path)?, own);
                builder.map_err(|fault| Failure::Usage(unreadable(path, &fault)))
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let usage = |fault: rustls::pki_types::pem::Error| Failure::Usage(unreadable(path, &fault));
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(usage)?.collect();
    let found = found.map_err(usage)?;
    if found.is_empty() { Err(Failure::Usage(format!("{} holds no certificate", path.display()))) } else { Ok(found) }
}
