//! What can go wrong when a server is asked.

use std::time::Duration;

use thiserror::Error;

use crate::service::Problem;

/// Why there is no answer to work with.
///
/// A refusal that belongs to licensing (`SUSPENDED`, `ACTIVATION_LIMIT`, `LIMIT_EXCEEDED` …) is no error: it is an answer,
/// and its `code` tells it. No message here holds a license key, an API key or a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the request and said why (RFC 9457). With 429 and 5xx, also after all tries.
    #[error("{problem}")]
    Problem {
        /// Its `status`, `code`, `detail`, `errors` by field, and the `request_id` to ask for help with.
        problem: Box<Problem>,
        /// After how long to come again, if the server said so.
        retry_after: Option<Duration>,
    },
    /// No connection, or a broken one, at every try. Whether the server did what it was asked is not known; under the same
    /// idempotency key it can be asked again.
    #[error("{server_url} gave no answer")]
    Unreachable {
        /// Who was asked.
        server_url: String,
        /// What happened at the last try.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time, at every try. What was done is not known, as with [`Error::Unreachable`].
    #[error("{server_url} gave no answer within {timeout:?}")]
    Timeout {
        /// Who was asked.
        server_url: String,
        /// For how long each try waited.
        timeout: Duration,
    },
    /// What answered is no Vinzy server: a captive portal, a proxy, a wrong address.
    #[error("what answered with status {status} is no Vinzy server: {detail}")]
    UnexpectedAnswer {
        /// Its HTTP status.
        status: u16,
        /// Why its answer could not be read.
        detail: String,
    },
    /// An argument that cannot be sent. Nothing was.
    #[error("{name} {what}")]
    InvalidArgument {
        /// Which.
        name: &'static str,
        /// What it must be.
        what: &'static str,
    },
}

/// Why there is no client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The server's address cannot be one.
    #[error(
        "the server's address must be like https://licenses.example.com, without user, password and query"
    )]
    ServerUrl,
    /// The API key cannot be sent.
    #[error("the API key must be printable ASCII")]
    ApiKey,
    /// The text of the pinned keys is no JWK set with Ed25519 keys.
    #[error("the pinned keys must be a JWK set with an Ed25519 key: the document at /.well-known/jwks.json")]
    PinnedJwks,
    /// Nothing can be sent: the machine has no certificates of authorities, say.
    #[error("no HTTP client can be made")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What the server said, if it refused the request.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// The `code` of what the server said, such as `NOT_FOUND`.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// The HTTP status of what the server said.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }

    /// After how long to come again, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it says nothing of the license or the request: nobody answered, or nobody who could (429, 5xx).
    pub fn is_no_answer(&self) -> bool {
        match self {
            Self::Problem { problem, .. } => problem.status == 429 || problem.status >= 500,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::UnexpectedAnswer { .. } => true,
            Self::InvalidArgument { .. } => false,
        }
    }
}
