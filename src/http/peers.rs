//! Lists of peers: addresses, networks, and the peers of Unix sockets.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::peer::Peer;

/// An entry of a list of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerNet {
    /// The addresses of a network.
    Net(IpNet),
    /// `unix`: the peers of Unix sockets.
    Unix,
}

/// Peers, in a form in which a look-up takes no longer for many networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerSet {
    /// The networks, in order; none is in another.
    nets: Vec<IpNet>,
    has_unix: bool,
}

impl PeerNet {
    /// Whether a peer is in the network.
    pub(super) fn has(self, peer: Peer) -> bool {
        match (self, peer.ip()) {
            (Self::Net(net), Some(ip)) => net.contains(&ip),
            (Self::Unix, None) => true,
            _ => false,
        }
    }
}

impl PeerSet {
    /// Returns the peers of a list.
    pub(crate) fn new(list: &[PeerNet]) -> Self {
        let nets = list.iter().filter_map(|entry| if let PeerNet::Net(net) = entry { Some(*net) } else { None });
        let mut nets = IpNet::aggregate(&nets.collect());
        nets.sort_unstable();
        Self { nets, has_unix: list.contains(&PeerNet::Unix) }
    }

    /// Whether it has no peer.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the set has a peer.
    pub(super) fn has(&self, peer: Peer) -> bool {
        peer.ip().map_or(self.has_unix, |ip| self.has_address(ip))
    }

    fn has_address(&self, ip: IpAddr) -> bool {
        let after = self.nets.partition_point(|net| net.network() <= ip);
        after > 0 && self.nets[after - 1].contains(&ip)
    }
}

impl fmt::Display for PeerNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(list: &[&str]) -> PeerSet {
        let entry = |text: &&str| match *text {
            "unix" => PeerNet::Unix,
            net => PeerNet::Net(net.parse().expect("a network")),
        };
        PeerSet::new(&list.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn a_peer_is_in_the_list_if_one_of_its_networks_has_the_address() {
        let list = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32", "192.0.2.0/31", "0.0.0.1/32"];
        let table = [
            ("10.0.0.0", true),
            ("10.1.2.3", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("192.0.2.0", true),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("192.0.2.7", true),
            ("::ffff:10.9.9.9", true),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", false),
            ("0.0.0.1", true),
            ("0.0.0.0", false),
        ];
        for (address, want) in table {
            assert_eq!(set(&list).has(Peer::Portless(address.parse().expect("an address"))), want, "{address}");
        }
        assert!(!set(&list).has(Peer::Unix) && set(&["unix"]).has(Peer::Unix));
        assert!(!set(&[]).has(Peer::Portless("10.0.0.1".parse().expect("an address"))));
        assert!(set(&["0.0.0.0/0"]).has(Peer::Portless("255.1.2.3".parse().expect("an address"))));
    }
}
