//! Syslog over TLS: RFC 5424 messages in the frames of RFC 5425.
//!
//! Syslog has no answer of its own. A batch therefore has a connection of its own, and counts as taken when the other end,
//! told that no more will come, has told the same (RFC 5425, section 4.4): it has then read everything before.

use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;
use futures_util::FutureExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Sent;
use super::destination::{Fault, unconnected};

/// The port that RFC 5425 gives it.
pub(super) const PORT: u16 = 6514;
/// Time to connect, and again to send and to be told that all was read.
const LIMIT: Duration = Duration::from_secs(20);
/// Facility "log audit", and what has no enterprise of its own: the number of RFC 5612 that documents and private use share.
const FACILITY: u8 = 13;
const ENTERPRISE: &str = "lockbox@32473";

pub(super) struct Syslog {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Syslog {
    pub(super) fn new(host: &str, port: u16, config: ClientConfig) -> Result<Self, String> {
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is no name of a host"))?;
        Ok(Self { host, port, name, connector: TlsConnector::from(Arc::new(config)) })
    }

    pub(super) async fn take(&self, batch: &[Sent]) -> Result<(), Fault> {
        let frames: Vec<u8> = batch.iter().flat_map(|sent| frame(&message(sent))).collect();
        let late = |_| Fault::Away(format!("{}:{} does not answer", self.host, self.port), None);
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let connected = timeout(LIMIT, connecting).await.map_err(late)?;
        let mut stream = connected.map_err(|fault| unconnected(&self.host, &fault))?;
        let sending = async {
            stream.write_all(&frames).await?;
            stream.flush().await?;
            let mut byte = [0; 1];
            if let Some(Ok(0) | Err(_)) = stream.read(&mut byte).now_or_never() {
                return Err(std::io::Error::other("it hung up before everything was sent"));
            }
            stream.shutdown().await?;
            // What it may say is nothing that a receiver of syslog says; its end is what counts.
            while stream.read(&mut byte).await? > 0 {}
            Ok(())
        };
        let sent = timeout(LIMIT, sending).await.map_err(late)?;
        sent.map_err(|fault| {
            let words = format!("{}:{} did not confirm that it read everything: {fault}", self.host, self.port);
            Fault::Away(words, None)
        })
    }
}

/// Octet counting: the length in front of each message.
fn frame(message: &[u8]) -> Vec<u8> {
    [message.len().to_string().as_bytes(), b" ", message].concat()
}

/// One message: the entry's place as structured data, the event's exact bytes as its text.
fn message(sent: &Sent) -> Vec<u8> {
    let severity = if sent.is_refusal() { 4 } else { 6 };
    let event = &sent.event;
    let host: String = sent.log.split('/').next().unwrap_or("-").chars().take(255).collect();
    let kind: String = event.kind.chars().filter(char::is_ascii_graphic).take(32).collect();
    let mut head = format!(
        "<{}>1 {} {host} lockbox - {kind} [{ENTERPRISE}",
        FACILITY * 8 + severity,
        event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
    );
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
    for (name, value) in parameters.into_iter().filter(|(_, value)| !value.is_empty()) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        head.push_str(&format!(" {name}=\"{escaped}\""));
    }
    head.push_str("] ");
    // RFC 5424, section 6.4: UTF-8 says so with its mark; plain ASCII needs none.
    let mark: &[u8] = if sent.bytes.is_ascii() { b"" } else { b"\xef\xbb\xbf" };
    [head.as_bytes(), mark, &sent.bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str) -> Sent {
        let text = format!(
            r#"{{"data":{{"actor":{{"name":"{name}"}}}},"id":"0199a000-0000-7000-8000-000000000001","tenant":"a\"]b","time":"2026-11-24T10:00:00.000001Z","type":"lockbox.decision.refused.v1"}}"#
        );
        Sent::read("lockbox.fabrikam.example/t/contoso", 7, text.as_bytes(), (3, "00", "ff")).unwrap()
    }

    #[test]
    fn a_message_has_the_form_of_the_standard_and_no_value_breaks_out_of_its_place() {
        let text = String::from_utf8(message(&sent("alex"))).unwrap();
        let head = "<108>1 2026-11-24T10:00:00.000001Z lockbox.fabrikam.example lockbox - decision.refused \
                    [lockbox@32473 log=\"lockbox.fabrikam.example/t/contoso\" index=\"7\" seq=\"3\" prev=\"00\" leaf=\"ff\" \
                    event=\"0199a000-0000-7000-8000-000000000001\" type=\"decision.refused\" tenant=\"a\\\"\\]b\"] {\"data\"";
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn a_frame_counts_bytes_and_what_is_more_than_ascii_says_that_it_is_utf_8() {
        let message = message(&sent("Žaneta"));
        let place = message.windows(5).position(|part| part == b"\xef\xbb\xbf{\"").unwrap();
        assert_eq!(&message[place - 2..place], b"] ");
        let framed = frame(&message);
        assert!(framed.starts_with(format!("{} <", message.len()).as_bytes()));
        assert_eq!(framed.len(), message.len().to_string().len() + 1 + message.len());
    }
}
