//! URLs of receivers: what they must look like, whoever may be called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use url::{Position, Url};

use super::guard::Refused;

/// Longest URL, in bytes.
pub const MAX_URL: usize = 2_048;
/// Longest name of a host, and longest part of one between dots (RFC 1035).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Why a URL is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("must have at most {MAX_URL} bytes")]
    TooLong,
    /// It is none, or none that everybody reads alike.
    #[error("must be a URL such as https://hooks.example.com/vinzy")]
    Malformed,
    /// It is for another protocol.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// It is not encrypted, and must be.
    #[error("must begin with https://")]
    NotEncrypted,
    /// It names a user.
    #[error("must not hold a user or a password")]
    UserInfo,
    /// It has a fragment.
    #[error("must not have a fragment (#…)")]
    Fragment,
    /// Its host is no name that can be resolved.
    #[error("must name a host by an address, or by a name of at most {MAX_NAME} characters")]
    Host,
    /// Its port is not called.
    #[error("must not use port {0}")]
    Port(u16),
    /// Its address is not called.
    #[error("must lead to a public address: {} is {}", .0.address, .0.class)]
    Address(#[from] Refused),
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By name, in lower-case ASCII.
    Name(String),
    /// By address.
    Address(IpAddr),
}

/// A URL in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: String,
    pub(super) encrypted: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// What the `Host` header says.
    pub(super) authority: HeaderValue,
    pub(super) path: PathAndQuery,
}

impl Target {
    /// The URL in its normal form.
    pub fn as_str(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl FromStr for Target {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url = parse(text)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let port = url.port_or_known_default().ok_or(UrlError::Malformed)?;
        let path = &url[Position::BeforePath..Position::AfterQuery];
        Ok(Self {
            encrypted,
            host: host(&url)?,
            port,
            authority: HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
                .map_err(|_| UrlError::Host)?,
            path: path.parse().map_err(|_| UrlError::Malformed)?,
            url: url.into(),
        })
    }
}

/// Reads a URL, as browsers do, but for what they forgive: others read that in another way.
fn parse(text: &str) -> Result<Url, UrlError> {
    if text.len() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    let (scheme, rest) = text.split_once(':').ok_or(UrlError::Malformed)?;
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(UrlError::Scheme);
    }
    let authority = rest.strip_prefix("//").ok_or(UrlError::Malformed)?;
    if authority.starts_with('/') || text.contains(odd) {
        return Err(UrlError::Malformed);
    }
    let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    if url.as_str().len() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    Ok(url)
}

/// The host of a URL: all ways of writing an address (`0x7f.1`, `2130706433`) have become one.
fn host(url: &Url) -> Result<Host, UrlError> {
    let name = match url.host().ok_or(UrlError::Malformed)? {
        url::Host::Ipv4(address) => return Ok(Host::Address(address.into())),
        url::Host::Ipv6(address) => return Ok(Host::Address(address.into())),
        url::Host::Domain(name) => name,
    };
    let relative = name.strip_suffix('.').unwrap_or(name);
    let fits = relative.len() <= MAX_NAME
        && relative
            .split('.')
            .all(|label| (1..=MAX_LABEL).contains(&label.len()));
    if fits {
        Ok(Host::Name(name.to_owned()))
    } else {
        Err(UrlError::Host)
    }
}

#[cfg(test)]
mod tests;
