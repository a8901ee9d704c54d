//! Who sends a request.

use std::net::{IpAddr, Ipv6Addr};

/// A client: an IPv4 address, or the first 64 bits of an IPv6 address, which is what a household or a server is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            IpAddr::V4(address) => IpAddr::V4(address),
        })
    }

    /// The client that a proxy names: the last address of `X-Forwarded-For`, which is the one that the proxy has added.
    pub(crate) fn forwarded(header: &str) -> Option<Self> {
        let last = header.rsplit(',').next()?.trim();
        last.parse().ok().map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let of = |text: &str| Client::of(text.parse().unwrap());
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.2"), of("10.0.0.1"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        // What a client claims comes before what the proxy has seen.
        assert_eq!(
            Client::forwarded("1.2.3.4, 10.0.0.1 "),
            Some(of("10.0.0.1"))
        );
        assert_eq!(Client::forwarded("10.0.0.1, unknown"), None);
        assert_eq!(Client::forwarded(""), None);
    }
}
