//! From which address a request comes, also through proxies.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

use crate::domain::address::AddressRange;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FETCH_SITE: &str = "sec-fetch-site";

/// The address a request comes from, canonical: an IPv4 address is never written as IPv6. Found once a request by the
/// edge; `None` for a peer without an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(pub Option<IpAddr>);

impl Origin {
    /// Who speaks: the peer, or whoever a trusted peer says it speaks for.
    ///
    /// Each proxy adds the address it was asked from to the end of `X-Forwarded-For`. Read from that end, an entry counts as
    /// long as everybody behind it is trusted; the first that is not trusted is the caller, whatever it wrote before
    /// itself. An entry that cannot be read ends the walk at the proxy that passed it on.
    pub fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[AddressRange]) -> Self {
        let trusts = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
        let Some(mut origin) = peer.map(|peer| peer.to_canonical()) else { return Self(None) };
        let lines: Vec<&str> =
            headers.get_all(FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(before) = read(entry.trim()).filter(|_| trusts(origin)) else { break };
            origin = before;
        }
        Self(Some(origin))
    }

    /// What the edge found out about this request.
    pub fn found(request: &impl actix_web::HttpMessage) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or(Self(None))
    }
}

/// Whether the caller speaks TLS: this server itself does not, so a trusted proxy has to say so. Found once a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secured(pub bool);

impl Secured {
    /// What the proxy says that is spoken with the caller.
    pub fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[AddressRange]) -> Self {
        let peer = peer.map(|peer| peer.to_canonical());
        let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|range| range.contains(peer)));
        let said = headers.get_all(FORWARDED_PROTO).last().and_then(|value| value.to_str().ok());
        let last = said.and_then(|said| said.rsplit(',').next()).unwrap_or_default();
        Self(is_trusted && last.trim().eq_ignore_ascii_case("https"))
    }

    /// What the edge found out about this request.
    pub fn found(request: &impl actix_web::HttpMessage) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or(Self(false))
    }
}

/// Whether a page of this server asks, by what the browser says of it; `None` when nothing is said, as by a program.
pub fn is_ours(headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text(FETCH_SITE).map(|site| site == "same-origin");
    let origin = text(header::ORIGIN.as_str()).map(|origin| is_own(origin, headers));
    match (site, origin) {
        (Some(site), Some(origin)) => Some(site && origin),
        (site, origin) => site.or(origin),
    }
}

/// Whether an origin is the host that the request was sent to.
pub fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
    own && !host.is_empty()
}

/// An address, with or without a port: some proxies write it.
fn read(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody_is_trusted("10.0.0.1", &["192.0.2.7"], &[], "10.0.0.1")]
    #[case::a_proxy_says_for_whom("10.0.0.1", &["192.0.2.7"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::a_stranger_says_so_himself("198.51.100.1", &["192.0.2.7"], &["10.0.0.0/8"], "198.51.100.1")]
    #[case::what_a_caller_wrote_before_itself("10.0.0.1", &["127.0.0.1, 192.0.2.7"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::two_proxies("10.0.0.1", &["192.0.2.7, 10.0.0.2"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::two_headers("10.0.0.1", &["192.0.2.7", "10.0.0.2"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::all_of_them_trusted("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &["10.0.0.0/8"], "10.0.0.3")]
    #[case::none_named("10.0.0.1", &[], &["10.0.0.0/8"], "10.0.0.1")]
    #[case::rubbish("10.0.0.1", &["192.0.2.7, unknown"], &["10.0.0.0/8"], "10.0.0.1")]
    #[case::rubbish_before_the_caller("10.0.0.1", &["unknown, 192.0.2.7"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::with_a_port("10.0.0.1", &["192.0.2.7:4711"], &["10.0.0.0/8"], "192.0.2.7")]
    #[case::ipv6_with_a_port("::1", &["[2001:db8::7]:4711"], &["::1"], "2001:db8::7")]
    #[case::ipv4_as_ipv6("::ffff:10.0.0.1", &["::ffff:192.0.2.7"], &["10.0.0.0/8"], "192.0.2.7")]
    fn the_caller_is_the_last_whom_nobody_trusted_vouches_for(
        #[case] peer: &str,
        #[case] lines: &[&str],
        #[case] trusted: &[&str],
        #[case] origin: &str,
    ) {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static(FORWARDED_FOR);
            headers.append(name, HeaderValue::from_str(line).expect("visible text"));
        }
        let trusted: Vec<AddressRange> =
            trusted.iter().map(|range| range.parse().expect("a range")).collect();
        let found = Origin::of(Some(peer.parse().expect("an address")), &headers, &trusted);
        assert_eq!(found, Origin(Some(origin.parse().expect("an address"))));
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&[("sec-fetch-site", "same-origin")], Some(true))]
    #[case(&[("sec-fetch-site", "same-site")], Some(false))]
    #[case(&[("sec-fetch-site", "none")], Some(false))]
    #[case(&[("origin", "https://ops.example.com")], Some(true))]
    #[case(&[("origin", "http://ops.example.com")], Some(true))]
    #[case(&[("origin", "https://ops.example.com.evil.net")], Some(false))]
    #[case(&[("origin", "https://ops.example.com:8443")], Some(false))]
    #[case(&[("origin", "null")], Some(false))]
    #[case(&[("origin", "https://ops.example.com"), ("sec-fetch-site", "cross-site")], Some(false))]
    fn a_page_is_ours_if_all_that_its_browser_says_of_it_is(
        #[case] said: &[(&'static str, &'static str)],
        #[case] ours: Option<bool>,
    ) {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("ops.example.com"));
        for (name, value) in said {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        assert_eq!(is_ours(&headers), ours);
    }

    #[rstest]
    #[case::a_proxy_says_so("10.0.0.1", "https", true)]
    #[case::of_two_the_nearer_counts("10.0.0.1", "https, http", false)]
    #[case::a_stranger_says_so("192.0.2.1", "https", false)]
    #[case::a_proxy_says_otherwise("10.0.0.1", "http", false)]
    fn tls_is_what_a_trusted_proxy_says(
        #[case] peer: &str,
        #[case] said: &'static str,
        #[case] secured: bool,
    ) {
        let mut headers = HeaderMap::new();
        headers.append(HeaderName::from_static(FORWARDED_PROTO), HeaderValue::from_static(said));
        let trusted = ["10.0.0.0/8".parse().expect("a range")];
        let found = Secured::of(Some(peer.parse().expect("an address")), &headers, &trusted);
        assert_eq!(found, Secured(secured));
    }

    #[test]
    fn a_peer_without_an_address_stays_without_one() {
        let mut headers = HeaderMap::new();
        headers.append(HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_static("192.0.2.7"));
        assert_eq!(Origin::of(None, &headers, &["0.0.0.0/0".parse().expect("a range")]), Origin(None));
    }
}
