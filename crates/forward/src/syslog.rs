//! Syslog over TLS: RFC 5424 messages in the frames of RFC 5425.
//!
//! Syslog has no answer of its own. A batch therefore has a connection of its own, and counts as taken when the other end,
//! told that no more will come, has closed the connection in order: it has then read everything before. With `--confirm
//! tls` it must have said so under TLS as well (RFC 5425, section 4.4).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::FutureExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::{Fault, plain, unconnected};
use super::items::{Item, Sent};
use super::token::Confirm;

/// The port that RFC 5425 gives it.
pub(super) const PORT: u16 = 6514;
/// Time to connect, and again to send and to be told that all was read.
const LIMIT: Duration = Duration::from_secs(20);
/// Facility "log audit", and what has no enterprise of its own: the number of RFC 5612 that documents and private use share.
const FACILITY: u8 = 13;
/// How often it is looked whether everything is acknowledged.
const LOOK_PERIOD: Duration = Duration::from_millis(5);
const ENTERPRISE: &str = "lockbox@32473";

pub(super) struct Syslog {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
    confirm: Confirm,
    /// Whether it was said that this receiver confirms by TCP alone.
    was_said: AtomicBool,
}

impl Syslog {
    pub(super) fn new(host: &str, port: u16, config: ClientConfig, confirm: Confirm) -> Result<Self, String> {
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is no name of a host"))?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { host, port, name, connector, confirm, was_said: AtomicBool::new(false) })
    }

    pub(super) async fn take(&self, batch: &[Item]) -> Result<(), Fault> {
        let frames: Vec<u8> = batch.iter().flat_map(|item| frame(&message(item))).collect();
        let late = |_| Fault::Away(format!("{}:{} does not answer", self.host, self.port), None);
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let connected = timeout(LIMIT, connecting).await.map_err(late)?;
        let mut stream = connected.map_err(|fault| unconnected(&self.host, &fault))?;
        let sent = timeout(LIMIT, send(&mut stream, &frames)).await.map_err(late)?;
        let unconfirmed = |why: &str| {
            let words = format!("{}:{} did not confirm that it read everything: {why}", self.host, self.port);
            Fault::Away(words, None)
        };
        match sent.map_err(|fault| unconfirmed(&plain(&fault.to_string())))? {
            End::Alert => Ok(()),
            End::Connection if self.confirm == Confirm::Tls => Err(Fault::Refused(format!(
                "{}:{} closed the connection without TLS's closing alert, as rsyslog's GnuTLS driver does; choose its \
                 driver \"ossl\", or --confirm tcp",
                self.host, self.port
            ))),
            End::Connection => {
                let acknowledged = timeout(LIMIT, acknowledged(stream.get_ref().0)).await.map_err(late)?;
                acknowledged.map_err(|fault| unconfirmed(&fault.to_string()))?;
                if !self.was_said.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        host = self.host,
                        "the receiver closes without TLS's closing alert; batches count when TCP has confirmed them"
                    );
                }
                Ok(())
            }
        }
    }
}

/// How the other end closed, after everything was sent.
enum End {
    /// With TLS's closing alert.
    Alert,
    /// The connection alone.
    Connection,
}

async fn send(stream: &mut TlsStream<TcpStream>, frames: &[u8]) -> io::Result<End> {
    stream.write_all(frames).await?;
    stream.flush().await?;
    let mut byte = [0; 1];
    if let Some(Ok(0) | Err(_)) = stream.read(&mut byte).now_or_never() {
        return Err(io::Error::other("it hung up before everything was sent"));
    }
    // The closing alert, and the end of our side of the connection.
    stream.shutdown().await?;
    loop {
        // What it may say is nothing that a receiver of syslog says; its end is what counts.
        match stream.read(&mut byte).await {
            Ok(0) => return Ok(End::Alert),
            Ok(_) => {}
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(End::Connection),
            Err(fault) => return Err(fault),
        }
    }
}

/// Waits until the other end has acknowledged everything, our end of the connection included. A program that closes with
/// something unread, or before everything came, makes its system reset the connection instead.
async fn acknowledged(stream: &TcpStream) -> io::Result<()> {
    // The connection has an address of the other end until both sides have acknowledged each other's end.
    while stream.peer_addr().is_ok() {
        tokio::time::sleep(LOOK_PERIOD).await;
    }
    stream.take_error()?.map_or(Ok(()), Err)
}

/// Octet counting: the length in front of each message.
fn frame(message: &[u8]) -> Vec<u8> {
    [message.len().to_string().as_bytes(), b" ", message].concat()
}

/// One message.
fn message(item: &Item) -> Vec<u8> {
    match item {
        Item::Entry(sent) => entry(sent),
        Item::Gap(gap) => {
            let (first, end) = (gap.first.to_string(), gap.end.to_string());
            let parameters = [
                ("log", gap.log.as_str()),
                ("index", &first),
                ("end", &end),
                ("type", "log.gap"),
                ("tenant", gap.tenant.as_deref().unwrap_or_default()),
            ];
            let head = head(3, gap.at, &gap.log, "log.gap", &parameters);
            [head.as_bytes(), gap.document().to_string().as_bytes()].concat()
        }
    }
}

/// The entry's place as structured data, the event's exact bytes as its text.
fn entry(sent: &Sent) -> Vec<u8> {
    let severity = if sent.is_refusal() { 4 } else { 6 };
    let event = &sent.event;
    let tenant = event.document["tenant"].as_str().unwrap_or_default();
    let (index, seq, id) = (sent.index.to_string(), sent.seq.to_string(), event.id.to_string());
    let parameters = [
        ("log", sent.log.as_str()),
        ("index", &index),
        ("seq", &seq),
        ("prev", &sent.prev),
        ("leaf", &sent.leaf),
        ("event", &id),
        ("type", &event.kind),
        ("tenant", tenant),
        ("request", event.request.as_deref().unwrap_or_default()),
    ];
    let head = head(severity, event.at, &sent.log, &event.kind, &parameters);
    // RFC 5424, section 6.4: UTF-8 says so with its mark; plain ASCII needs none.
    let mark: &[u8] = if sent.bytes.is_ascii() { b"" } else { b"\xef\xbb\xbf" };
    [head.as_bytes(), mark, &sent.bytes].concat()
}

fn head(severity: u8, at: DateTime<Utc>, log: &str, kind: &str, parameters: &[(&str, &str)]) -> String {
    let kind: String = kind.chars().filter(char::is_ascii_graphic).take(32).collect();
    let mut head = format!(
        "<{}>1 {} {} lockbox - {kind} [{ENTERPRISE}",
        FACILITY * 8 + severity,
        at.to_rfc3339_opts(SecondsFormat::Micros, true),
        hostname(log),
    );
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        head.push_str(&format!(" {name}=\"{escaped}\""));
    }
    head.push_str("] ");
    head
}

/// The host in a log's name. A HOSTNAME has no port: receivers refuse one with it.
fn hostname(log: &str) -> String {
    let authority = log.split('/').next().unwrap_or_default();
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.contains(':') => host,
        _ => authority,
    };
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    if host.is_empty() { "-".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::super::items::Gap;
    use super::*;

    fn sent(name: &str) -> Sent {
        let text = format!(
            r#"{{"data":{{"actor":{{"name":"{name}"}}}},"id":"0199a000-0000-7000-8000-000000000001","tenant":"a\"]b","time":"2026-11-24T10:00:00.000001Z","type":"lockbox.decision.refused.v1"}}"#
        );
        Sent::read("lockbox.fabrikam.example/t/contoso", 7, text.as_bytes(), (3, "00", "ff")).unwrap()
    }

    #[test]
    fn a_message_has_the_form_of_the_standard_and_no_value_breaks_out_of_its_place() {
        let text = String::from_utf8(entry(&sent("alex"))).unwrap();
        let head = "<108>1 2026-11-24T10:00:00.000001Z lockbox.fabrikam.example lockbox - decision.refused \
                    [lockbox@32473 log=\"lockbox.fabrikam.example/t/contoso\" index=\"7\" seq=\"3\" prev=\"00\" leaf=\"ff\" \
                    event=\"0199a000-0000-7000-8000-000000000001\" type=\"decision.refused\" tenant=\"a\\\"\\]b\"] {\"data\"";
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn a_frame_counts_bytes_and_what_is_more_than_ascii_says_that_it_is_utf_8() {
        let message = entry(&sent("Žaneta"));
        let place = message.windows(5).position(|part| part == b"\xef\xbb\xbf{\"").unwrap();
        assert_eq!(&message[place - 2..place], b"] ");
        let framed = frame(&message);
        assert!(framed.starts_with(format!("{} <", message.len()).as_bytes()));
        assert_eq!(framed.len(), message.len().to_string().len() + 1 + message.len());
    }

    #[test]
    fn a_hostname_has_no_port_and_is_never_empty() {
        for (log, expected) in [
            ("localhost:8080/t/contoso", "localhost"),
            ("lockbox.fabrikam.example/operator", "lockbox.fabrikam.example"),
            ("::1/operator", "::1"),
            ("/operator", "-"),
        ] {
            assert_eq!(hostname(log), expected);
        }
    }

    #[test]
    fn a_gap_is_a_message_of_its_own_that_says_which_entries_are_missing() {
        let at = "2026-11-24T10:00:00.000001Z".parse().unwrap();
        let log = "localhost:8080/t/contoso".to_owned();
        let gap = Gap { log, tenant: Some("contoso".to_owned()), first: 5, end: 8, at };
        let text = String::from_utf8(message(&Item::Gap(gap))).unwrap();
        assert!(text.starts_with("<107>1 2026-11-24T10:00:00.000001Z localhost lockbox - log.gap ["), "{text}");
        assert!(
            text.contains("index=\"5\" end=\"8\"") && text.contains("entries 5 to 7 of localhost:8080/t/contoso"),
            "{text}"
        );
    }
}
