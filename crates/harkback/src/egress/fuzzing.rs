//! What must hold of an address that a caller or a website names?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use super::address::is_public;
use super::{Egress, literal_address};

static EGRESS: LazyLock<Egress> =
    LazyLock::new(|| Egress::new(&[]).expect("TLS can be set up where tests run"));

/// A URL, and the same bytes as addresses.
pub fn url(bytes: &[u8]) {
    if let Some(octets) = bytes.first_chunk::<4>() {
        check_v4(Ipv4Addr::from(*octets));
    }
    if let Some(octets) = bytes.first_chunk::<16>() {
        let ip = Ipv6Addr::from(*octets);
        assert!(!is_public(ip.into()) || is_public_to_std(ip.into()), "{ip}");
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(url) = EGRESS.check(text) else { return };
    assert!(text.len() <= 2048 && matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    let host = url.host_str().expect("http has a host");
    match literal_address(&url) {
        Some(ip) => assert!(is_public_to_std(ip), "{ip}"),
        None => assert!(url.domain().is_some(), "{host} is no address and no name"),
    }
    assert!(EGRESS.check(url.as_str()).is_ok() || url.as_str().len() > 2048, "{url} is the same");
}

fn check_v4(ip: Ipv4Addr) {
    let is_known = is_public(ip.into());
    assert!(!is_known || is_public_to_std(ip.into()), "{ip}");
    // An address says the same in its spellings for IPv6.
    assert_eq!(is_public(ip.to_ipv6_mapped().into()), is_known, "{ip}");
    let [a, b, c, d] = ip.octets().map(u16::from);
    let (high, low) = (a << 8 | b, c << 8 | d);
    for ip in [
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ] {
        assert_eq!(is_public(ip.into()), is_known, "{ip}");
    }
}

/// What the standard library knows of it, which is less.
fn is_public_to_std(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || ip.is_unspecified())
        }
        IpAddr::V6(ip) => {
            let is_v4_public = ip.to_ipv4_mapped().is_none_or(|it| is_public_to_std(it.into()));
            !(ip.is_loopback()
                || ip.is_multicast()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
                && is_v4_public
        }
    }
}
