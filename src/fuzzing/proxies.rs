//! Properties of what proxies tell of their clients: the headers, and the PROXY protocol.

use std::net::{IpAddr, SocketAddr};

use crate::{
    http::forwarded::{client, forwarded, x_forwarded_for},
    peer::Peer,
    server::proxy_header::{HEADER_BYTES_MAX, ProxyHeader, parse},
};

/// Checks the headers of proxies: nothing that a client writes in front of the part of a proxy changes that part.
pub fn forwarded_for(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let peer: Option<Peer> = Some(Peer::Tcp(SocketAddr::from(([203, 0, 113, 9], 4711))));
    let is_proxy = |ip: IpAddr| ip == IpAddr::from([10, 0, 0, 1]);
    let by_x = format!("{text}, 203.0.113.9:4711, 10.0.0.1");
    let by_forwarded = format!("{text}, for=\"203.0.113.9:4711\";proto=https;host=\"a.example:81\", for=10.0.0.1");

    let of_x = client(x_forwarded_for(&by_x), is_proxy);
    assert_eq!(of_x.ok().flatten().and_then(|hop| hop.peer), peer);
    let hop = client(forwarded(&by_forwarded), is_proxy).ok().flatten().expect("the hop of the client");
    assert_eq!((hop.peer, hop.scheme, hop.host), (peer, Some("https"), Some("a.example:81")));
    // What a proxy itself may write is one address, or none.
    let alone = [client(x_forwarded_for(&text), is_proxy), client(forwarded(&text), is_proxy)];
    for hop in alone.into_iter().filter_map(|read| read.ok().flatten()) {
        assert!(hop.peer.and_then(Peer::ip).is_some(), "{hop:?}");
    }
}

/// Checks the header of the PROXY protocol: it needs no byte after its end, and each shorter part needs more.
pub fn proxy_header(data: &[u8]) {
    let mut length = 0;
    while let Ok(ProxyHeader::Needs(more)) = parse(&data[..length]) {
        assert!(more > 0 && length + more <= HEADER_BYTES_MAX, "{length} bytes and {more}");
        length += more;
        if length > data.len() {
            return;
        }
    }
    let Ok(ProxyHeader::Whole { client, .. }) = parse(&data[..length]) else { return };
    for shorter in 0..length {
        assert!(matches!(parse(&data[..shorter]), Ok(ProxyHeader::Needs(_))), "the first {shorter} of {length} bytes");
    }
    // The same client by a line.
    let Some(client) = client else { return };
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let line = format!("PROXY {family} {ip} {ip} {port} {port}\r\n", ip = client.ip(), port = client.port());
    assert_eq!(parse(line.as_bytes()), Ok(ProxyHeader::Whole { client: Some(client), skip: 0 }));
}
