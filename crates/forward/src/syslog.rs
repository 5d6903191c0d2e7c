//! Syslog over TLS: RFC 5424 messages with RFC 5425 framing.
//!
//! Syslog has no responses. Therefore each batch has its own connection. After the batch we close our side; the batch counts as
//! accepted when the receiver then closes the connection in order, because it has read everything before. With `--confirm tls`
//! the receiver must also send TLS's closing alert (RFC 5425, section 4.4).

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

use super::credentials::Confirm;
use super::fault::{Fault, plain, unconnected};
use super::items::{Item, Sent};

/// Port of RFC 5425.
pub(super) const PORT: u16 = 6514;
/// Time limit for connecting, and again for sending and for the confirmation.
const LIMIT: Duration = Duration::from_secs(20);
/// Facility "log audit", and the enterprise number of RFC 5612 for documentation and private use.
const FACILITY: u8 = 13;
/// How often the TCP acknowledgements are checked.
const POLL_PERIOD: Duration = Duration::from_millis(5);
const ENTERPRISE: &str = "lockbox@32473";

pub(super) struct Syslog {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
    confirm: Confirm,
    /// Whether the log has a line that this receiver confirms by TCP only.
    is_logged: AtomicBool,
}

impl Syslog {
    pub(super) fn new(host: &str, port: u16, config: ClientConfig, confirm: Confirm) -> Result<Self, String> {
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is not a valid host name"))?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { host, port, name, connector, confirm, is_logged: AtomicBool::new(false) })
    }

    pub(super) async fn send(&self, batch: &[Item]) -> Result<(), Fault> {
        let frames: Vec<u8> = batch.iter().flat_map(|item| frame(&message(item))).collect();
        let late = |_| Fault::Unavailable(format!("{}:{} does not respond", self.host, self.port), None);
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let connected = timeout(LIMIT, connecting).await.map_err(late)?;
        let mut stream = connected.map_err(|fault| unconnected(&self.host, &fault))?;
        let sent = timeout(LIMIT, send_frames(&mut stream, &frames)).await.map_err(late)?;
        let unconfirmed = |why: &str| {
            let words = format!("{}:{} did not confirm the batch: {why}", self.host, self.port);
            Fault::Unavailable(words, None)
        };
        match sent.map_err(|fault| unconfirmed(&plain(&fault.to_string())))? {
            End::Alert => Ok(()),
            End::Connection if self.confirm == Confirm::Tls => Err(Fault::Refused(format!(
                "{}:{} closed the connection without TLS's closing alert, as rsyslog's GnuTLS driver does; use its \
                 driver \"ossl\", or --confirm tcp",
                self.host, self.port
            ))),
            End::Connection => {
                let acknowledged = timeout(LIMIT, acknowledged(stream.get_ref().0)).await.map_err(late)?;
                acknowledged.map_err(|fault| unconfirmed(&fault.to_string()))?;
                if !self.is_logged.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        host = self.host,
                        "the receiver closes connections without TLS's closing alert; accepting TCP acknowledgements as confirmation"
                    );
                }
                Ok(())
            }
        }
    }
}

/// How the receiver closed the connection.
enum End {
    /// With TLS's closing alert.
    Alert,
    /// Without it.
    Connection,
}

async fn send_frames(stream: &mut TlsStream<TcpStream>, frames: &[u8]) -> io::Result<End> {
    stream.write_all(frames).await?;
    stream.flush().await?;
    let mut byte = [0; 1];
    if let Some(Ok(0) | Err(_)) = stream.read(&mut byte).now_or_never() {
        return Err(io::Error::other("it closed the connection before everything was sent"));
    }
    // The closing alert, and the end of our side of the connection.
    stream.shutdown().await?;
    loop {
        // A syslog receiver sends no data; only the end of the connection counts.
        match stream.read(&mut byte).await {
            Ok(0) => return Ok(End::Alert),
            Ok(_) => {}
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(End::Connection),
            Err(fault) => return Err(fault),
        }
    }
}

/// Waits until the receiver's TCP has acknowledged everything, including the end of our side. If a receiver closes before it
/// has read everything, its system resets the connection instead.
async fn acknowledged(stream: &TcpStream) -> io::Result<()> {
    // The socket has a peer address until both sides have acknowledged each other's end.
    while stream.peer_addr().is_ok() {
        tokio::time::sleep(POLL_PERIOD).await;
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

/// The position of the entry as structured data, and the event's exact bytes as the message.
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

/// The host in a log's name. A HOSTNAME has no port, and receivers refuse one with a port.
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
    fn a_message_follows_rfc_5424_and_escapes_every_value() {
        let text = String::from_utf8(entry(&sent("alex"))).unwrap();
        let head = "<108>1 2026-11-24T10:00:00.000001Z lockbox.fabrikam.example lockbox - decision.refused \
                    [lockbox@32473 log=\"lockbox.fabrikam.example/t/contoso\" index=\"7\" seq=\"3\" prev=\"00\" leaf=\"ff\" \
                    event=\"0199a000-0000-7000-8000-000000000001\" type=\"decision.refused\" tenant=\"a\\\"\\]b\"] {\"data\"";
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn a_frame_counts_bytes_and_text_beyond_ascii_has_a_byte_order_mark() {
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
    fn a_gap_is_a_message_that_names_the_missing_entries() {
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
