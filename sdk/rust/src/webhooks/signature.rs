//! Checking that a webhook is genuine, whichever web framework received it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use crate::Object;
use crate::clock::since_1970;
use crate::events::EventPlace;

const PREFIX: &str = "whsec_";
const MOST_DIGITS: usize = 15;
/// As the libraries of Standard Webhooks have it.
const TOLERANCE: Duration = Duration::from_mins(5);

/// What a genuine webhook says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// What happened, such as `license.created`; or `webhook.test`, which is no event.
    pub event_type: String,
    /// When it was recorded.
    pub timestamp: String,
    /// What it says, with the ids of what it belongs to.
    pub data: Object,
    /// Where it stands in the ledger; `None` for a test.
    #[serde(default)]
    pub ledger: Option<EventPlace>,
}

/// Why a webhook is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A header is missing, or is no text.
    #[error("the header {0} is missing")]
    HeaderMissing(&'static str),
    /// The time is none.
    #[error("webhook-timestamp is no time")]
    NoTime,
    /// It was sent too long ago, or is ahead of the clock.
    #[error("it is too old, or the clock is wrong")]
    TooOld,
    /// It was signed with another secret, or changed since.
    #[error("no signature fits")]
    NoSignatureFits,
    /// It is genuine, and no event.
    #[error("the body is no event")]
    NoEvent,
}

/// A secret that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a webhook's secret is whsec_ and base64, or a text of your own that is not empty")]
pub struct SecretError;

/// Checks webhooks, as Standard Webhooks say.
///
/// ```
/// use vinzy_client::webhooks::{WebhookError, WebhookVerifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // One for each secret while it is rotated.
/// let verifier = WebhookVerifier::try_new(&["whsec_c2l4dGVlbiBjaGFyYWN0ZXJz"])?;
///
/// // Out of an `http::HeaderMap`: `|name| headers.get(name)?.to_str().ok()`.
/// # let header = |_: &str| None;
/// match verifier.verify(b"the raw body, as it came", header) {
///     // Remember its `webhook-id`: the same can come twice.
///     Ok(event) => println!("{}: {:?}", event.event_type, event.data),
///     Err(error) => println!("401: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebhookVerifier {
    secrets: Vec<Secret>,
    tolerance: Duration,
}

#[derive(Clone)]
struct Secret {
    /// What Standard Webhooks sign with.
    key: Vec<u8>,
    /// Its own characters, with which the older header signs.
    text: String,
}

impl WebhookVerifier {
    /// With an endpoint's secret, or several of which one must fit.
    pub fn try_new(secrets: &[&str]) -> Result<Self, SecretError> {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|text| Secret::parse(text))
            .collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(SecretError);
        }
        Ok(Self {
            secrets,
            tolerance: TOLERANCE,
        })
    }

    /// For how long a webhook may be old, or ahead of the clock; five minutes if left out.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The event of a genuine webhook, out of the raw body and the request's headers by their names in lower case.
    ///
    /// The same event can come twice: remember the `webhook-id`s that you have dealt with.
    pub fn verify<'h>(
        &self,
        body: &[u8],
        header: impl Fn(&str) -> Option<&'h str>,
    ) -> Result<WebhookEvent, WebhookError> {
        let now = UNIX_EPOCH + since_1970();
        self.verify_at(body, header, now)
    }

    /// As [`WebhookVerifier::verify`], as of a time.
    pub fn verify_at<'h>(
        &self,
        body: &[u8],
        header: impl Fn(&str) -> Option<&'h str>,
        now: SystemTime,
    ) -> Result<WebhookEvent, WebhookError> {
        let header = |name| header(name).ok_or(WebhookError::HeaderMissing(name));
        let id = header("webhook-id")?;
        let timestamp = header("webhook-timestamp")?;
        let signatures = header("webhook-signature")?;
        self.check_age(timestamp, now)?;
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let shown = signatures.split(' ').filter_map(|part| part.strip_prefix("v1,"));
        let shown: Vec<_> = shown
            .filter_map(|part| BASE64.decode(part.as_bytes()).ok())
            .collect();
        // All are compared, each in constant time: how long it takes tells nothing of what would have fitted.
        let fitting = self
            .secrets
            .iter()
            .flat_map(|secret| shown.iter().map(|shown| fits(&secret.key, &signed, shown)))
            .filter(|fits| *fits)
            .count();
        if fitting == 0 {
            return Err(WebhookError::NoSignatureFits);
        }
        serde_json::from_slice(body).map_err(|_| WebhookError::NoEvent)
    }

    /// Whether the older header `X-Vinzy-Signature` fits a body. It says nothing of the time, so a request that was overheard
    /// could be sent again: prefer [`WebhookVerifier::verify`].
    pub fn fits_older_header(&self, body: &[u8], signature: &str) -> bool {
        let shown = HEXLOWER.decode(signature.as_bytes()).unwrap_or_default();
        let fitting = self
            .secrets
            .iter()
            .map(|secret| fits(secret.text.as_bytes(), &[body], &shown));
        fitting.filter(|fits| *fits).count() > 0
    }

    fn check_age(&self, timestamp: &str, now: SystemTime) -> Result<(), WebhookError> {
        let digits = timestamp.len() <= MOST_DIGITS && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = timestamp
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or(WebhookError::NoTime)?;
        let sent = UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .ok_or(WebhookError::NoTime)?;
        let apart = now
            .duration_since(sent)
            .unwrap_or_else(|sent_later| sent_later.duration());
        if apart <= self.tolerance {
            Ok(())
        } else {
            Err(WebhookError::TooOld)
        }
    }
}

impl std::fmt::Debug for WebhookVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookVerifier")
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

impl Secret {
    /// What follows `whsec_` is base64; a secret of the vendor's own signs with its own bytes.
    fn parse(text: &str) -> Result<Self, SecretError> {
        let key = match text.strip_prefix(PREFIX) {
            Some(base64) => BASE64.decode(base64.as_bytes()).map_err(|_| SecretError)?,
            None => text.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SecretError);
        }
        Ok(Self {
            key,
            text: text.to_owned(),
        })
    }
}

fn fits(key: &[u8], message: &[&[u8]], shown: &[u8]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    message.iter().for_each(|part| mac.update(part));
    mac.verify_slice(shown).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Those of Standard Webhooks' own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SENT: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn check(
        secrets: &[&str],
        body: &[u8],
        headers: [&str; 3],
        now: u64,
    ) -> Result<WebhookEvent, WebhookError> {
        let header = |name: &str| {
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
            let index = names.iter().position(|other| *other == name)?;
            Some(headers[index]).filter(|value| !value.is_empty())
        };
        WebhookVerifier::try_new(secrets)
            .unwrap()
            .verify_at(body, header, at(now))
    }

    fn signed(secret: &str, body: &[u8]) -> String {
        let key = Secret::parse(secret).unwrap().key;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(&[ID.as_bytes(), b".", SENT.as_bytes(), b".", body].concat());
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }

    #[test]
    fn the_published_example_fits() {
        let sent = 1_614_265_330;
        // It is no event of this API, which is looked at last.
        let genuine = Err(WebhookError::NoEvent);
        assert_eq!(check(&[SECRET], BODY, [ID, SENT, SIGNATURE], sent), genuine);
        let several = format!("v1a,x v1,AAAA {SIGNATURE} v2,x");
        assert_eq!(
            check(&["own", SECRET], BODY, [ID, SENT, &several], sent + 300),
            genuine
        );
        assert_eq!(check(&[SECRET], BODY, [ID, SENT, SIGNATURE], sent - 300), genuine);
    }

    #[test]
    fn whatever_does_not_fit_is_refused() {
        let sent = 1_614_265_330;
        let none = Err(WebhookError::NoSignatureFits);
        assert_eq!(check(&["own"], BODY, [ID, SENT, SIGNATURE], sent), none);
        assert_eq!(check(&[SECRET], b"{}", [ID, SENT, SIGNATURE], sent), none);
        assert_eq!(check(&[SECRET], BODY, ["msg", SENT, SIGNATURE], sent), none);
        assert_eq!(check(&[SECRET], BODY, [ID, "1614265331", SIGNATURE], sent), none);
        for signature in [
            "v1",
            "v1,",
            "v2,x",
            "g0hM9SsE",
            "\u{e9}",
            &SIGNATURE[..30],
            &SIGNATURE[3..],
        ] {
            assert_eq!(
                check(&[SECRET], BODY, [ID, SENT, signature], sent),
                none,
                "{signature}"
            );
        }
        for time in [
            "soon",
            "-1",
            "+1614265330",
            "1614265330.0",
            "9999999999999999",
            "٣",
        ] {
            let refused = check(&[SECRET], BODY, [ID, time, SIGNATURE], sent);
            assert_eq!(refused, Err(WebhookError::NoTime), "{time}");
        }
        for now in [sent + 301, sent - 301] {
            assert_eq!(
                check(&[SECRET], BODY, [ID, SENT, SIGNATURE], now),
                Err(WebhookError::TooOld)
            );
        }
        let missing = Err(WebhookError::HeaderMissing("webhook-id"));
        assert_eq!(check(&[SECRET], BODY, ["", SENT, SIGNATURE], sent), missing);
    }

    #[test]
    fn events_are_read() {
        let place = format!(r#"{{"position":4,"event_hash":"{}"}}"#, "0".repeat(64));
        for (ledger, position) in [("null", None), (place.as_str(), Some(4))] {
            let body = format!(
                r#"{{"event_type":"license.created","timestamp":"2026-03-01T12:00:00.000000Z","data":{{"tier":"gold"}},"ledger":{ledger}}}"#
            );
            let signature = signed("a secret of one's own", body.as_bytes());
            let event = check(
                &["a secret of one's own"],
                body.as_bytes(),
                [ID, SENT, &signature],
                1_614_265_330,
            );
            let event = event.unwrap();
            assert_eq!(
                (event.event_type.as_str(), &event.data["tier"]),
                ("license.created", &"gold".into())
            );
            assert_eq!(event.ledger.map(|place| place.position), position);
        }
    }

    #[test]
    fn the_older_header_is_checked_too() {
        // What the system that this one replaces has signed.
        let signature = "f91e3e9f05cc2df64ac1c26f8adccdffda8d1e4a7a8c50a1a08eeadac6ddfec5";
        let verifier = WebhookVerifier::try_new(&["other", "0123456789abcdef"]).unwrap();
        assert!(verifier.fits_older_header(b"{}", signature));
        for (body, shown) in [
            ("[]", signature),
            ("{}", &signature[2..]),
            ("{}", ""),
            ("{}", "\u{e9}"),
        ] {
            assert!(
                !verifier.fits_older_header(body.as_bytes(), shown),
                "{body} {shown}"
            );
        }
        assert!(!verifier.fits_older_header(b"{}", &signature.to_uppercase()));
        assert!(
            !WebhookVerifier::try_new(&["other"])
                .unwrap()
                .fits_older_header(b"{}", signature)
        );
    }

    #[test]
    fn secrets_are_checked() {
        for wrong in [&[][..], &[""], &["whsec_"], &["whsec_not base64"], &["good", ""]] {
            assert_eq!(
                WebhookVerifier::try_new(wrong).err(),
                Some(SecretError),
                "{wrong:?}"
            );
        }
        let shown = format!("{:?}", WebhookVerifier::try_new(&["secret"]).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
