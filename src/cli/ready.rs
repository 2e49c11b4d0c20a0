//! `ready`: asks the gateway on this machine for `/readyz`, for health checks on machines without curl.

use super::{Failure, Report, Session};
use serde_json::{Value, json};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The time for the whole exchange.
const PATIENCE: Duration = Duration::from_secs(4);

/// Bytes of the longest answer that is read.
const LONGEST: u64 = 64 * 1024;

/// Exits 1 unless the gateway says that it is ready.
pub(super) async fn run(session: &Session) -> Result<Report, Failure> {
    let at = reachable(session.config.listen.admin);
    let (ready, says) = match ask_patiently(at).await {
        Ok((200, _)) => (true, format!("The gateway at {at} is ready.")),
        Ok((status, body)) => (false, format!("The gateway at {at} is not ready: {status} {body}")),
        Err(error) => (false, format!("The gateway at {at} cannot be asked: {error}.")),
    };
    Ok(Report::new(says, json!({"ready": ready, "admin": at.to_string()}))?.judged(ready))
}

/// The address to connect to. A listener's address can be `0.0.0.0`, to which nobody can connect.
pub(super) fn reachable(listened: SocketAddr) -> SocketAddr {
    let ip = match listened.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listened.port())
}

/// What the gateway there says of itself.
pub(super) async fn ask_patiently(at: SocketAddr) -> io::Result<(u16, Value)> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, ask(at)).await.unwrap_or_else(|_| Err(late()))
}

/// The status and the body, which is a line of JSON.
async fn ask(at: SocketAddr) -> io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(at).await?;
    // The answer ends with the connection.
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    match (status, body) {
        (Some(status), Some(body)) => Ok((status, body)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no gateway that answers there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listened_on_everywhere_is_asked_here() {
        for (listened, asked) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.1.2.3:9", "10.1.2.3:9"),
            ("127.0.0.1:8081", "127.0.0.1:8081"),
        ] {
            assert_eq!(reachable(listened.parse().unwrap()).to_string(), asked);
        }
    }
}
