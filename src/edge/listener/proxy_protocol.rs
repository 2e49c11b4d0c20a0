//! The PROXY protocol, versions 1 and 2: before the first byte of TLS or HTTP, a load balancer sends its client's address.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The headers of both versions have at least this many bytes, so they can be read before the version is known.
const SHORTEST: usize = "PROXY UNKNOWN\r\n".len();

/// The longest header of version 1, by its specification.
const LONGEST_V1: usize = 107;

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD: usize = 16;
/// The most bytes of addresses and extensions after that. Real ones have far fewer.
const LONGEST_V2_REST: usize = 536;

/// Reads a header and not one byte more. Returns `None` if the peer speaks for itself, as in a health check, or for a client
/// without an internet address.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut head = [0; SHORTEST];
    stream.read_exact(&mut head).await?;
    if head.starts_with(V2_SIGNATURE) { version_2(stream, &head).await } else { version_1(stream, &head).await }
}

async fn version_1(stream: &mut (impl AsyncRead + Unpin), start: &[u8]) -> io::Result<Option<SocketAddr>> {
    let mut line = start.to_vec();
    if !line.starts_with(b"PROXY ") {
        return Err(invalid("there is no PROXY protocol header"));
    }
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_V1 {
            return Err(invalid("the header is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    source_of_line(&line)
}

/// `PROXY TCP4 SOURCE DESTINATION PORT PORT`, or `PROXY UNKNOWN` and anything.
fn source_of_line(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let words: Vec<_> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
    match words[..] {
        [_, b"UNKNOWN", ..] => Ok(None),
        [_, b"TCP4", source, destination, port, other_port] => {
            let (source, _): (Ipv4Addr, Ipv4Addr) = (word(source)?, word(destination)?);
            let (port, _): (u16, u16) = (word(port)?, word(other_port)?);
            Ok(Some((source, port).into()))
        }
        [_, b"TCP6", source, destination, port, other_port] => {
            let (source, _): (Ipv6Addr, Ipv6Addr) = (word(source)?, word(destination)?);
            let (port, _): (u16, u16) = (word(port)?, word(other_port)?);
            Ok(Some((source, port).into()))
        }
        _ => Err(invalid("the header makes no sense")),
    }
}

fn word<T: FromStr>(word: &[u8]) -> io::Result<T> {
    let text = std::str::from_utf8(word).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| invalid("the header makes no sense"))
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin), start: &[u8; SHORTEST]) -> io::Result<Option<SocketAddr>> {
    const { assert!(SHORTEST + 1 == V2_HEAD) }
    let [.., command, family, length] = *start;
    let length = usize::from(u16::from_be_bytes([length, stream.read_u8().await?]));
    if length > LONGEST_V2_REST {
        return Err(invalid("the header is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match (command, family) {
        (0x20, _) | (0x21, 0x00 | 0x31 | 0x32) => Ok(None),
        (0x21, 0x11) => address_of::<4>(&rest).map(Some),
        (0x21, 0x21) => address_of::<16>(&rest).map(Some),
        _ => Err(invalid("the header makes no sense")),
    }
}

/// The bytes are source, destination, source port, destination port, and then extensions.
fn address_of<const N: usize>(rest: &[u8]) -> io::Result<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let parts = rest.first_chunk::<N>().zip(rest.get(2 * N..2 * N + 4));
    let Some((source, &[high, low, ..])) = parts else { return Err(invalid("the header is cut short")) };
    Ok((IpAddr::from(*source), u16::from_be_bytes([high, low])).into())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn source(header: &[u8]) -> Result<Option<String>, ErrorKind> {
        let bytes = [header, b"GET / HTTP/1.1"].concat();
        let mut rest = &bytes[..];
        let source = read(&mut rest).await.map_err(|error| error.kind())?;
        assert_eq!(rest, b"GET / HTTP/1.1", "the bytes after the header are not read");
        Ok(source.map(|address| address.to_string()))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family][..], &length, rest].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_source() {
        let v6 = [&[0x20, 0x01, 0x0d, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0x12, 0x34, 0, 80]].concat();
        let with_extension = [&[192, 0, 2, 1, 10, 0, 0, 1, 0, 80, 1, 187][..], &[4, 0, 1, 0]].concat();
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n".to_vec(), Some("192.0.2.1:4711")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n".to_vec(), Some("[2001:db8::1]:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (v2(0x21, 0x11, &with_extension), Some("192.0.2.1:80")),
            (v2(0x21, 0x21, &v6), Some("[2001:db8::1]:4660")),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ] {
            assert_eq!(source(&header).await, Ok(expected.map(str::to_owned)), "{}", header.escape_ascii());
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for header in [
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 65536\r\n".to_vec(),
            b"PROXY  TCP4 192.0.2.1 10.0.0.1 4711 443\r\n".to_vec(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 200], b"\r\n"].concat(),
            v2(0x11, 0x11, &[0; 12]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x11, &[0; 600]),
        ] {
            assert_eq!(source(&header).await, Err(ErrorKind::InvalidData), "{}", header.escape_ascii());
        }
        assert_eq!(read(&mut &b"PROXY TCP4 192.0.2."[..]).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let v2 = [V2_SIGNATURE.as_slice(), &bytes].concat();
            for bytes in [bytes, v2] {
                let mut rest = &bytes[..];
                let _ = runtime.block_on(read(&mut rest));
                prop_assert!(bytes.len() - rest.len() <= V2_HEAD + LONGEST_V2_REST);
            }
        }
    }
}
