//! The client of a vendor: with an API key, everything that the API can do.

use std::fmt;
use std::sync::Arc;

use super::error::{BuildError, Error};
use super::transport::{Extras, Reach, Transport, reach_setters};
use crate::call::{Call, Page, Part};

/// Sends the operations of [`calls`](crate::calls) to a Vinzy server, with an API key.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use vinzy_client::calls::licenses;
/// use vinzy_client::client::AdminClient;
/// use vinzy_client::licenses::Reason;
///
/// let admin = AdminClient::builder("https://licenses.example.com").api_key("vz_…").build()?;
/// let suspended = licenses::Filter { status: Some("suspended".into()), ..Default::default() };
/// for license in admin.all(|part| licenses::list(&suspended, part)).await? {
///     admin.send(&licenses::reinstate(&license.id, &Reason::default())).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Requests are sent again as those of [`LicenseClient`](super::LicenseClient) are. What creates or changes something carries
/// an idempotency key. A few operations take none (deletions, suspending and its like): when the answer to one is lost, its
/// retry may be told that it was done before, with 404 or 409.
#[derive(Clone)]
pub struct AdminClient(Arc<Transport>);

/// Makes an [`AdminClient`].
#[derive(Clone)]
pub struct AdminClientBuilder {
    reach: Reach,
}

impl AdminClient {
    /// A client of the server at an address, with its `VINZY_API_PREFIX` if it has one.
    pub fn builder(server_url: impl Into<String>) -> AdminClientBuilder {
        AdminClientBuilder {
            reach: Reach::new(server_url.into()),
        }
    }

    /// Sends a call, and reads the answer. Its retries are the same request; sending it once more is another.
    pub async fn send<T>(&self, call: &Call<T>) -> Result<T, Error> {
        let extras = match call.method {
            "POST" | "PATCH" => Extras::once(None)?,
            _ => Extras::default(),
        };
        self.0.send(call, extras.authorized()).await
    }

    /// As [`AdminClient::send`], under an idempotency key (1 to 255 characters of printable ASCII): whoever sends the same
    /// under the same key gets the first answer, for ever, and nothing is done twice.
    pub async fn send_once<T>(&self, call: &Call<T>, idempotency_key: &str) -> Result<T, Error> {
        self.0
            .send(call, Extras::once(Some(idempotency_key))?.authorized())
            .await
    }

    /// All rows of a list, page by page.
    pub async fn all<T>(&self, list: impl Fn(&Part) -> Call<Page<T>>) -> Result<Vec<T>, Error> {
        let mut part = Part {
            page_size: Some(100),
            after: None,
        };
        let mut rows = vec![];
        loop {
            let page = self.send(&list(&part)).await?;
            rows.extend(page.rows);
            if page.next.is_none() {
                return Ok(rows);
            }
            part.after = page.next;
        }
    }
}

impl AdminClientBuilder {
    /// The API key: the admin's, the super-admin's or a tenant's.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.reach.api_key = Some(key.into());
        self
    }

    reach_setters!();

    /// Makes the client. It asks nothing of the server yet.
    pub fn build(self) -> Result<AdminClient, BuildError> {
        Ok(AdminClient(Arc::new(self.reach.build()?)))
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient")
            .field("server_url", &self.0.server_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClientBuilder")
            .field("server_url", &self.reach.server_url)
            .finish_non_exhaustive()
    }
}
