//! The hash of a request, by which a repeated one is recognised.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vinzy_events::LicenseId;

use crate::ledger::Idempotency;

/// Hashes requests. Keyed, because a request can hold personal data that a plain hash would let others
/// guess; the key is one of the server's, which the database keeps wrapped.
#[derive(Clone)]
pub struct RequestHasher([u8; 32]);

impl RequestHasher {
    /// From 32 secret bytes.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// What identifies a request: its idempotency key, and a hash of what it asks for. `operation` sets
    /// apart requests with equal bodies to different routes.
    pub fn idempotency(&self, key: &str, operation: &str, body: &[u8]) -> Idempotency {
        Idempotency {
            key: key.to_owned(),
            request_hash: self.mac(b"request", &[operation.as_bytes(), body]),
        }
    }

    /// As [`RequestHasher::idempotency`], for whoever holds a license key: keys of one license's application
    /// are apart from those of others, and from the vendor's, which hold no control characters.
    pub fn idempotency_of_license(
        &self,
        license_id: LicenseId,
        key: &str,
        operation: &str,
        body: &[u8],
    ) -> Idempotency {
        self.idempotency(&format!("{license_id}\u{1f}{key}"), operation, body)
    }

    /// Fifteen bytes that look random to whoever lacks the secret, and are the same for the same request:
    /// what a license key is made of when its request can be repeated, so that the key need not be kept.
    pub fn license_entropy(&self, ledger_id: &str, idempotency: &Idempotency) -> [u8; 15] {
        let mac = self.entropy(b"license-key", ledger_id, idempotency);
        let (entropy, _) = mac.split_first_chunk::<15>().expect("a MAC has 32 bytes");
        *entropy
    }

    /// As [`RequestHasher::license_entropy`], for the secrets of API keys.
    pub fn secret_entropy(&self, ledger_id: &str, idempotency: &Idempotency) -> [u8; 32] {
        self.entropy(b"api-key", ledger_id, idempotency)
    }

    /// As [`RequestHasher::license_entropy`], for ids of webhooks' tests.
    pub fn test_entropy(&self, ledger_id: &str, idempotency: &Idempotency) -> [u8; 16] {
        let mac = self.entropy(b"webhook-test", ledger_id, idempotency);
        let (entropy, _) = mac.split_first_chunk::<16>().expect("a MAC has 32 bytes");
        *entropy
    }

    fn entropy(&self, label: &[u8], ledger_id: &str, idempotency: &Idempotency) -> [u8; 32] {
        let parts = [
            ledger_id.as_bytes(),
            idempotency.key.as_bytes(),
            &idempotency.request_hash,
        ];
        self.mac(label, &parts)
    }

    fn mac(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in [label].into_iter().chain(parts.iter().copied()) {
            // Lengths keep neighbours apart: ("ab", "c") is not ("a", "bc").
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_operation_and_body() {
        let hasher = RequestHasher::new([1; 32]);
        let hash = |operation, body: &[u8]| hasher.idempotency("k", operation, body).request_hash;
        assert_eq!(hash("POST /a", b"{}"), hash("POST /a", b"{}"));
        assert_ne!(hash("POST /a", b"{}"), hash("POST /b", b"{}"));
        assert_ne!(hash("POST /a", b"{}"), hash("POST /a", b"[]"));
        assert_ne!(hash("POST /ab", b"c"), hash("POST /a", b"bc"));
        assert_ne!(
            hash("p", b"c"),
            RequestHasher::new([2; 32])
                .idempotency("k", "p", b"c")
                .request_hash
        );
    }
}
