//! From where a request comes: the client's address behind trusted proxies, whether it is encrypted all the way, and
//! whether another web page made a browser send it.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use ipnet::IpNet;

use super::server::Peer;

/// Who asks: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Their address.
    pub address: IpAddr,
    /// Whether the connection is encrypted, at least up to a trusted proxy.
    pub encrypted: bool,
}

impl Client {
    /// Who asks over a connection. What proxies say is believed only if the connection comes from one of
    /// `trusted_proxies`: then the last address in `X-Forwarded-For` that is not one of them is the client's.
    pub fn of(peer: Peer, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let is_trusted = |address: &IpAddr| trusted_proxies.iter().any(|net| net.contains(address));
        let direct = peer.address.ip().to_canonical();
        if !is_trusted(&direct) {
            return Self {
                address: direct,
                encrypted: peer.encrypted,
            };
        }
        let forwarded = headers.get_all("x-forwarded-for").into_iter();
        let hops: Vec<&[u8]> = forwarded
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .collect();
        let mut address = direct;
        for hop in hops.into_iter().rev() {
            // A proxy of ours names somebody whom we cannot make out: that is not the proxy itself.
            address = address_of(hop).unwrap_or(UNKNOWN);
            if !is_trusted(&address) {
                break;
            }
        }
        let proto = headers.get_all("x-forwarded-proto").into_iter().next_back();
        let proto = proto.and_then(|value| value.to_str().ok());
        let proto = proto.and_then(|value| value.rsplit(',').next()).map(str::trim);
        Self {
            address,
            encrypted: proto.map_or(peer.encrypted, |proto| proto.eq_ignore_ascii_case("https")),
        }
    }
}

/// A client whose address cannot be made out. It is on no list of addresses that are let in.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// An address, of which some proxies write the port, too, and some write the brackets of IPv6 without it.
fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok().or_else(|| {
        let socket = text.parse::<std::net::SocketAddr>().ok();
        socket.map(|socket| socket.ip())
    });
    address.map(|address| address.to_canonical())
}

/// Whether a page of another origin made a browser send this. Browsers say so by `Sec-Fetch-Site`, older ones by
/// `Origin`; what sends neither is no browser, and nobody else can make it send anything.
pub fn is_foreign(parts: &Parts) -> bool {
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if let Some(site) = text("sec-fetch-site") {
        return !["same-origin", "none"].contains(&site);
    }
    let Some(origin) = text("origin") else {
        return false;
    };
    let host = text(header::HOST.as_str()).or_else(|| parts.uri.authority().map(Authority::as_str));
    let of_origin = origin.split_once("://").map(|(_, authority)| authority);
    of_origin.is_none() || of_origin != host
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    fn client(peer: &str, forwarded: &[&str], proto: Option<&str>) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(
                "x-forwarded-for",
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        if let Some(proto) = proto {
            headers.insert("x-forwarded-proto", HeaderValue::from_str(proto).unwrap());
        }
        let peer = Peer {
            address: peer.parse().unwrap(),
            encrypted: false,
        };
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let client = Client::of(peer, &headers, &trusted);
        (client.address.to_string(), client.encrypted)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let outside = "192.0.2.1:80";
        assert_eq!(
            client(outside, &["203.0.113.9"], Some("https")),
            ("192.0.2.1".into(), false)
        );
        let proxy = "10.0.0.1:80";
        for (forwarded, expected) in [
            (vec![], "10.0.0.1"),
            (vec!["203.0.113.9"], "203.0.113.9"),
            (vec!["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (vec!["203.0.113.9, 10.9.9.9"], "203.0.113.9"),
            (vec!["1.1.1.1", "203.0.113.9:4711"], "203.0.113.9"),
            (vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            (vec!["[2001:db8::1]"], "2001:db8::1"),
            (vec!["1.1.1.1, nonsense, 10.9.9.9"], "0.0.0.0"),
            (vec!["nonsense"], "0.0.0.0"),
            (vec!["\u{ff}, 203.0.113.9"], "203.0.113.9"),
            (vec![""], "0.0.0.0"),
        ] {
            let got = client(proxy, &forwarded, Some("https"));
            assert_eq!(got, (expected.into(), true), "{forwarded:?}");
        }
        assert_eq!(
            client("[::ffff:10.0.0.1]:80", &["203.0.113.9"], None).0,
            "203.0.113.9"
        );
    }

    #[test]
    fn pages_of_other_origins_are_noticed() {
        let foreign = |headers: &[(&str, &str)]| {
            let mut request = Request::post("/session").header("host", "licenses.example:8443");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            is_foreign(&request.body(()).unwrap().into_parts().0)
        };
        assert!(!foreign(&[]));
        assert!(!foreign(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://proxied")
        ]));
        assert!(!foreign(&[("sec-fetch-site", "none")]));
        assert!(!foreign(&[("origin", "https://licenses.example:8443")]));
        for bad in ["same-site", "cross-site", ""] {
            assert!(foreign(&[("sec-fetch-site", bad)]), "{bad}");
        }
        for bad in ["https://evil.example", "null", "https://licenses.example", ""] {
            assert!(foreign(&[("origin", bad)]), "{bad}");
        }
    }
}
