//! The receiver of entries: its URL, certificates and token.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::collector::Collector;
use super::credentials::{Confirm, Token, unreadable};
use super::fault::Fault;
use super::items::Item;
use super::syslog::Syslog;
use runtime::outcome::Failure;

/// How the receiver is trusted, and how it authenticates us.
#[derive(Args, Clone, Debug)]
pub struct Trusted {
    /// How a syslog receiver confirms a batch
    #[arg(long, env = "LOCKBOX_FORWARD_CONFIRM", value_enum, default_value_t = Confirm::Tcp, value_name = "HOW")]
    confirm: Confirm,
    /// Certificates (PEM) of the authorities that sign the receiver's certificate [default: the system's]
    #[arg(long, env = "LOCKBOX_FORWARD_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Client certificate (PEM), if the receiver requires one
    #[arg(long, env = "LOCKBOX_FORWARD_CERT_FILE", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// Key of the client certificate (PEM)
    #[arg(long, env = "LOCKBOX_FORWARD_KEY_FILE", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Bearer token for an HTTPS collector
    #[arg(
        long,
        env = "LOCKBOX_FORWARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        conflicts_with = "bearer_file"
    )]
    bearer: Option<String>,
    /// File with the bearer token; read again for each batch
    #[arg(long, env = "LOCKBOX_FORWARD_TOKEN_FILE", value_name = "FILE")]
    bearer_file: Option<PathBuf>,
}

/// A receiver of entries.
pub(super) enum Destination {
    Syslog(Syslog),
    Collector(Collector),
}

impl Destination {
    /// Reads the URL and the files for it.
    pub(super) fn new(to: &Url, trusted: &Trusted) -> Result<Self, Failure> {
        let usage = |words: String| Failure::Usage(format!("--to {to}: {words}"));
        if !to.username().is_empty() || to.password().is_some() {
            return Err(Failure::Usage("--to: the URL must not contain a secret; use --bearer-file".to_owned()));
        }
        let host =
            to.host_str().filter(|host| !host.is_empty()).ok_or_else(|| usage("the URL has no host".to_owned()))?;
        let is_token = trusted.bearer.is_some() || trusted.bearer_file.is_some();
        match to.scheme() {
            "syslog+tls" if is_token => {
                Err(usage("syslog does not support tokens; use --cert-file and --key-file".to_owned()))
            }
            "syslog+tls" => {
                let config = trusted.client_config()?;
                let port = to.port().unwrap_or(super::syslog::PORT);
                Syslog::new(host, port, config, trusted.confirm).map(Self::Syslog).map_err(usage)
            }
            "http" if !is_this_machine(host) => {
                Err(usage("http is only allowed for a collector on this machine; use https".to_owned()))
            }
            "https" | "http" => {
                let token = match (&trusted.bearer, &trusted.bearer_file) {
                    (Some(token), _) => Token::Given(token.clone()),
                    (None, Some(path)) => Token::File(path.clone()),
                    (None, None) => Token::None,
                };
                Collector::new(to.clone(), token, trusted.client_config()?).map(Self::Collector).map_err(usage)
            }
            _ => Err(usage("the scheme is not supported; use syslog+tls://host:6514 or https://host/path".to_owned())),
        }
    }

    /// Sends a batch. When this returns, the receiver has accepted all of it.
    pub(super) async fn send(&self, batch: &[Item]) -> Result<(), Fault> {
        match self {
            Self::Syslog(syslog) => syslog.send(batch).await,
            Self::Collector(collector) => collector.send(batch).await,
        }
    }
}

fn is_this_machine(host: &str) -> bool {
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
            return Err(Failure::Usage(
                "the system has no trusted certificate authorities; set them with --ca-file".to_owned(),
            ));
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
    if found.is_empty() {
        Err(Failure::Usage(format!("{} contains no certificate", path.display())))
    } else {
        Ok(found)
    }
}
