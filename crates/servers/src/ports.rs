//! Free ports on the loopback interface, remembered between runs.

use std::net::TcpListener;
use std::path::Path;

/// Standard ports of installed servers, which private servers never use.
const STANDARD: [u16; 4] = [5432, 5672, 15_672, 4369];

/// Returns the port of the previous run when it is free, otherwise any free port.
pub(crate) fn choose(remembered: &Path) -> std::io::Result<u16> {
    let last = std::fs::read_to_string(remembered).ok().and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = last.filter(|port| !STANDARD.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
    {
        return Ok(port);
    }
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if !STANDARD.contains(&port) {
            std::fs::write(remembered, port.to_string())?;
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_used_again_and_an_occupied_port_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("port");
        let first = choose(&file).unwrap();
        assert_eq!(choose(&file).unwrap(), first);
        let _listener = TcpListener::bind(("127.0.0.1", first)).unwrap();
        assert_ne!(choose(&file).unwrap(), first);
    }
}
