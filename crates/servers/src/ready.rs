//! Waits until a server accepts connections, and checks this with the protocol of the server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{Running, tail};
use crate::progress::Progress;

fn first_byte(port: u16, hello: &[u8]) -> Option<u8> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(hello).ok()?;
    let mut answer = [0; 1];
    stream.read_exact(&mut answer).ok()?;
    Some(answer[0])
}

/// Postgres responds to a start-up packet with `R` when it accepts connections, and with an error during recovery.
pub(crate) fn postgres(port: u16) -> bool {
    let mut body = vec![0, 3, 0, 0];
    body.extend_from_slice(b"user\0lockbox\0database\0lockbox\0\0");
    let mut hello = u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes().to_vec();
    hello.extend(body);
    first_byte(port, &hello) == Some(b'R')
}

/// RabbitMQ responds to the protocol header with a method frame (1).
pub(crate) fn rabbitmq(port: u16) -> bool {
    first_byte(port, b"AMQP\0\0\x09\x01") == Some(1)
}

/// Waits until a server is ready. Reports progress after three seconds.
pub(crate) fn wait(
    server: &'static str,
    running: &mut Running,
    limit: Duration,
    log: &Path,
    progress: &Progress,
    is_ready: impl Fn() -> bool,
) -> Result<(), Error> {
    let started = Instant::now();
    let mut has_reported = false;
    loop {
        if is_ready() {
            return Ok(());
        }
        if running.has_ended() || started.elapsed() > limit {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let (seconds, log) = (started.elapsed().as_secs(), log.to_owned());
            return Err(Error::NotReady { server, seconds, log, tail: tail(&text) });
        }
        if !has_reported && started.elapsed() > Duration::from_secs(3) {
            has_reported = true;
            progress(&format!("waiting for {server}; see its log {}", log.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
