//! A mailbox for development: accepts every mail over SMTP on the loopback interface and keeps it in memory.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_parser::MessageParser;
use mailin::{Action, Handler, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// Longest line of a client, in bytes.
const LINE_LIMIT_BYTES: u64 = 64 * 1024;
/// A connection is closed after this long without a line.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A received mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Envelope recipients.
    pub to: Vec<String>,
    /// `Message-ID`.
    pub message_id: String,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The whole mail.
    pub raw: Vec<u8>,
}

/// The mailbox; clones share the mails.
#[derive(Clone, Default)]
pub struct Mailbox {
    mails: Arc<Mutex<Vec<Mail>>>,
}

struct Receiver {
    mailbox: Mailbox,
    to: Vec<String>,
    raw: Vec<u8>,
}

impl Handler for Receiver {
    fn data_start(&mut self, _domain: &str, _from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.to = to.to_vec();
        self.raw.clear();
        mailin::response::OK
    }

    fn data(&mut self, buffer: &[u8]) -> std::io::Result<()> {
        self.raw.extend_from_slice(buffer);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let raw = std::mem::take(&mut self.raw);
        let parsed = MessageParser::default().parse(&raw);
        let parsed = parsed.as_ref();
        let mail = Mail {
            to: std::mem::take(&mut self.to),
            message_id: parsed.and_then(|mail| mail.message_id()).unwrap_or_default().to_owned(),
            subject: parsed.and_then(|mail| mail.subject()).unwrap_or_default().to_owned(),
            text: parsed.and_then(|mail| mail.body_text(0)).unwrap_or_default().into_owned(),
            raw,
        };
        self.mailbox.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        mailin::response::OK
    }
}

impl Mailbox {
    /// Listens on a free port, and returns its address.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn listen(&self, tasks: &TaskTracker) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mailbox = self.clone();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mailbox = mailbox.clone();
                connections.spawn(async move { drop(receive(stream, mailbox).await) });
            }
        });
        Ok(address)
    }

    /// Every mail so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(stream: TcpStream, mailbox: Mailbox) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let receiver = Receiver { mailbox, to: Vec::new(), raw: Vec::new() };
    let mut session = SessionBuilder::new("mailbox").build(IpAddr::V4(Ipv4Addr::LOCALHOST), receiver);
    writer.write_all(&session.greeting().buffer()?).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LINE_LIMIT_BYTES);
        let read = tokio::time::timeout(IDLE_TIMEOUT, limited.read_until(b'\n', &mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        let response = session.process(&line);
        match response.action {
            Action::NoReply => {}
            Action::Close => return writer.write_all(&response.buffer()?).await,
            _ => writer.write_all(&response.buffer()?).await?,
        }
    }
}
