//! The header of the PROXY protocol, version 1 (text) and 2 (binary). Pure.
//!
//! Source: proxy-protocol.txt of `HAProxy`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use crate::limits::PROXY_BYTES_MAX;

/// The beginning of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The beginning of version 1.
const WORD: &[u8] = b"PROXY ";

/// The length of the longest line of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;

/// The length of version 2 up to the addresses.
const HEAD_BYTES: usize = 16;

/// The length of the addresses of two Unix sockets, the longest ones.
const UNIX_BYTES: usize = 216;

/// The largest part of a header that [`parse`] needs.
pub(crate) const HEADER_BYTES_MAX: usize = HEAD_BYTES + UNIX_BYTES;

/// A header, as far as it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    /// The header has at least this many bytes more.
    Needs(usize),
    /// The header is complete, except for bytes to skip.
    Whole {
        /// The client; `None` if the proxy connects for itself, or does not tell for whom.
        client: Option<SocketAddr>,
        /// The number of bytes that follow and still belong to the header.
        skip: usize,
    },
}

/// The reason for which the beginning of a connection is no header.
pub(crate) type ProxyFault = &'static str;

/// Reads the beginning of a connection, at most [`HEADER_BYTES_MAX`] bytes of it. A caller that reads exactly the bytes that are
/// needed takes no byte after the header.
pub(crate) fn parse(bytes: &[u8]) -> Result<ProxyHeader, ProxyFault> {
    let is_front = |word: &[u8]| bytes.iter().zip(word).all(|(byte, known)| byte == known);
    match (is_front(SIGNATURE), is_front(WORD)) {
        (false, false) => Err("it does not begin with the PROXY protocol"),
        // No line is shorter than the signature.
        _ if bytes.len() < SIGNATURE.len() => Ok(ProxyHeader::Needs(SIGNATURE.len() - bytes.len())),
        (true, _) => match bytes.split_first_chunk() {
            None => Ok(ProxyHeader::Needs(HEAD_BYTES - bytes.len())),
            Some((head, block)) => binary(head, block),
        },
        _ if bytes.ends_with(b"\r\n") => line(&bytes[..bytes.len() - 2]),
        _ if bytes.len() >= LINE_BYTES_MAX => Err("its line of the PROXY protocol is too long"),
        _ => Ok(ProxyHeader::Needs(1)),
    }
}

/// Reads a line of version 1, without its end.
fn line(line: &[u8]) -> Result<ProxyHeader, ProxyFault> {
    const FAULT: ProxyFault = "its line of the PROXY protocol is malformed";
    let line = str::from_utf8(line).map_err(|_| FAULT)?;
    let mut words = line.split(' ').skip(1);
    let client = match words.next() {
        // What follows does not count.
        Some("UNKNOWN") => return Ok(ProxyHeader::Whole { client: None, skip: 0 }),
        Some("TCP4") => addresses::<Ipv4Addr>(&mut words),
        Some("TCP6") => addresses::<Ipv6Addr>(&mut words),
        _ => None,
    };
    let client = client.filter(|_| words.next().is_none()).ok_or(FAULT)?;
    Ok(ProxyHeader::Whole { client: Some(client), skip: 0 })
}

/// Reads both addresses, then both ports; returns those of the client.
fn addresses<'a, T: FromStr + Into<IpAddr>>(words: &mut impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let [client, _own]: [T; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let mut port = || words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok();
    let [port, _own]: [u16; 2] = [port()?, port()?];
    Some(SocketAddr::new(client.into(), port))
}

/// Reads version 2: the head, and the block of addresses as far as it is there.
fn binary(head: &[u8; HEAD_BYTES], block: &[u8]) -> Result<ProxyHeader, ProxyFault> {
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > PROXY_BYTES_MAX {
        return Err("its header of the PROXY protocol is too long");
    }
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err("its header of the PROXY protocol has an unknown version or command"),
    };
    let needed = match family {
        _ if is_local => 0,
        0x00 => 0,
        0x11 => 12,
        0x21 => 36,
        0x31 => UNIX_BYTES,
        _ => return Err("its header of the PROXY protocol has an address that is not of TCP"),
    };
    if length < needed {
        return Err("its header of the PROXY protocol is too short for its addresses");
    }
    if block.len() < needed {
        return Ok(ProxyHeader::Needs(needed - block.len()));
    }
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let client = match (needed, block.first_chunk::<4>(), block.first_chunk::<16>()) {
        (12, Some(four), _) => Some(SocketAddr::new(Ipv4Addr::from(*four).into(), port(8))),
        (36, _, Some(sixteen)) => Some(SocketAddr::new(Ipv6Addr::from(*sixteen).into(), port(32))),
        _ => None,
    };
    Ok(ProxyHeader::Whole { client, skip: length - needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a header as a connection does: the client, and the number of bytes.
    fn read(bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), ProxyFault> {
        let mut taken = 0;
        loop {
            match parse(&bytes[..taken])? {
                ProxyHeader::Needs(more) => taken += more,
                ProxyHeader::Whole { client, skip } => return Ok((client, taken + skip)),
            }
            if taken > bytes.len() {
                return Err("incomplete");
            }
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_line_names_the_client() {
        let table = [
            ("PROXY TCP4 203.0.113.9 10.0.0.1 4711 80", Some(address("203.0.113.9:4711"))),
            ("PROXY TCP6 2001:db8::1 ::1 65535 0", Some(address("[2001:db8::1]:65535"))),
            ("PROXY UNKNOWN", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2 and more", None),
        ];
        for (line, want) in table {
            let bytes = format!("{line}\r\nGET / HTTP/1.1\r\n");
            assert_eq!(read(bytes.as_bytes()), Ok((want, line.len() + 2)), "{line}");
        }
    }

    #[test]
    fn a_line_that_breaks_the_grammar_is_refused() {
        for line in [
            "PROXY TCP4 203.0.113.9 10.0.0.1 4711",
            "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80 ",
            "PROXY TCP4  203.0.113.9 10.0.0.1 4711 80",
            "PROXY TCP4 2001:db8::1 ::1 4711 80",
            "PROXY TCP4 203.0.113.9 10.0.0.1 +4711 80",
            "PROXY TCP4 203.0.113.9 10.0.0.1 65536 80",
            "PROXY TCP4 203.0.113.9 10.0.0.1  80",
            "PROXY UDP4 203.0.113.9 10.0.0.1 4711 80",
            "PROXY  UNKNOWN",
            "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\n",
            "PROXY \u{FF}\u{FF}\u{FF}\u{FF}",
            "GET / HTTP/1.1",
            "proxy UNKNOWN",
        ] {
            let read = read(format!("{line}\r\n").as_bytes());
            assert!(read.is_err() && read != Err("incomplete"), "{line}: {read:?}");
        }
    }

    #[test]
    fn a_line_has_107_bytes_at_most() {
        let line = |bytes: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(bytes - 16));
        assert_eq!(read(line(LINE_BYTES_MAX).as_bytes()), Ok((None, LINE_BYTES_MAX)));
        assert!(read(line(LINE_BYTES_MAX + 1).as_bytes()).is_err());
    }

    /// Returns a header of version 2 with a block of this many bytes, which begins with `block`.
    fn header(command: u8, family: u8, block: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = [&SIGNATURE[..], &[command, family]].concat();
        bytes.extend(u16::try_from(length).expect("a short block").to_be_bytes());
        bytes.extend(block);
        bytes.resize(HEAD_BYTES + length.max(block.len()), 0x5A);
        bytes
    }

    #[test]
    fn the_binary_form_names_the_client() {
        let four = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        let six = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 16], &[0x12, 0x67, 0, 80]].concat();
        let table = [
            ("TCP4", header(0x21, 0x11, &four, 12), Some(address("203.0.113.9:4711"))),
            ("TCP4 with more", header(0x21, 0x11, &four, 12 + 300), Some(address("203.0.113.9:4711"))),
            ("TCP6", header(0x21, 0x21, &six, 36), Some(address("[::1]:4711"))),
            ("Unix", header(0x21, 0x31, b"/run/a", UNIX_BYTES), None),
            ("UNSPEC", header(0x21, 0, &[], 7), None),
            ("LOCAL", header(0x20, 0x11, &four, 12), None),
            ("LOCAL of no family", header(0x20, 0xFF, &[], 0), None),
            ("the longest", header(0x21, 0x11, &four, PROXY_BYTES_MAX), Some(address("203.0.113.9:4711"))),
        ];
        for (what, bytes, want) in table {
            let followed = [&bytes[..], b"GET"].concat();
            assert_eq!(read(&followed), Ok((want, bytes.len())), "{what}");
        }
    }

    #[test]
    fn a_binary_header_that_breaks_the_grammar_is_refused() {
        let table = [
            ("version 1", header(0x11, 0x11, &[0; 12], 12)),
            ("command 2", header(0x22, 0x11, &[0; 12], 12)),
            ("UDP", header(0x21, 0x12, &[0; 12], 12)),
            ("no family", header(0x21, 0x41, &[0; 12], 12)),
            ("too short", header(0x21, 0x21, &[0; 35], 35)),
            ("too long", header(0x21, 0x11, &[0; 12], PROXY_BYTES_MAX + 1)),
        ];
        for (what, bytes) in table {
            let read = read(&bytes);
            assert!(read.is_err() && read != Err("incomplete"), "{what}: {read:?}");
        }
    }
}
