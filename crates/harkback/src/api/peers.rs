//! How many connections has each peer open? One peer must not take all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The open connections by peer.
#[derive(Debug)]
pub(super) struct Peers {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection of a peer, given back when it is dropped.
#[derive(Debug)]
pub(super) struct PeerPlace {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// Each peer may have `most`.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// One more connection of the peer of that address, unless it has as many as it may.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<PeerPlace> {
        let peer = peer(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let n_open = open.entry(peer).or_default();
        if *n_open >= self.most {
            return None;
        }
        *n_open += 1;
        Some(PeerPlace { peers: Arc::clone(self), peer })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n_open) = open.get_mut(&self.peer) {
            *n_open -= 1;
            if *n_open == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Who has an IPv6 address has all of its network of 64 bits.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_places_and_leaves_nothing() {
        let peers = Peers::new(2);
        let take = |it: &str| peers.take(it.parse().unwrap());
        for same in [
            ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1"],
            ["2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:0:1::"],
        ] {
            let places = [take(same[0]), take(same[1])];
            assert!(places.iter().all(Option::is_some) && take(same[2]).is_none(), "{same:?}");
            assert!(take("10.0.0.2").is_some() && take("2001:db8:0:1::1").is_some());
        }
        assert!(peers.open.lock().unwrap().is_empty());
    }
}
