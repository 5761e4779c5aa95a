//! The Rust client, on a real server: what it asks, what it does when the network is not at its best, and what a lease is
//! good for.

mod client;
mod examples;
mod offline;
mod proxy;
mod retries;

use std::path::Path;
use std::time::Duration;

use vinzy_client::LicenseClient;
use vinzy_client::client::{AdminClient, LicenseClientBuilder};
use vinzy_engine::clock::Clock;
use vinzy_events::Timestamp;

use crate::support::{TestApp, start_time};

/// Where nobody answers.
const NOWHERE: &str = "http://127.0.0.1:9";
const DAY: Duration = Duration::from_hours(24);

/// A server with a license.
struct Stage {
    app: TestApp,
    key: String,
    id: String,
    /// The clock of the application, which is another than the server's.
    clock: Clock,
}

impl Stage {
    async fn set() -> Self {
        let app = TestApp::start().await;
        let license = app.license().await;
        let text = |name: &str| license[name].as_str().unwrap().to_owned();
        Self {
            key: text("key"),
            id: text("id"),
            clock: Clock::frozen(start_time()),
            app,
        }
    }

    fn url(&self) -> &str {
        &self.app.client.base
    }

    fn admin(&self) -> AdminClient {
        self.app.client.admin()
    }

    /// A client that keeps nothing and does not pause.
    fn at(&self, url: &str) -> LicenseClientBuilder {
        let clock = self.clock.clone();
        LicenseClient::builder(url)
            .license_key(&self.key)
            .cache_ttl(Duration::ZERO)
            .retry_backoff_base(Duration::ZERO)
            .clock(move || Duration::from_micros(clock.now().as_micros().try_into().unwrap()))
    }

    fn client(&self) -> LicenseClient {
        self.at(self.url()).build().unwrap()
    }

    /// Clients of this server and of none, which share a lease store.
    fn pair(&self, store: &Path) -> (LicenseClient, LicenseClient) {
        self.pair_with(store, |settings| settings)
    }

    fn pair_with(
        &self,
        store: &Path,
        more: impl Fn(LicenseClientBuilder) -> LicenseClientBuilder,
    ) -> (LicenseClient, LicenseClient) {
        let client = |url: &str| more(self.at(url).lease_store(store)).build().unwrap();
        (client(self.url()), client(NOWHERE))
    }

    async fn jwks(&self) -> String {
        self.client().jwks().await.unwrap()
    }

    /// Moves the application's clock.
    fn sleep(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sets the application's clock back.
    fn set_back(&self, by: Duration) {
        let micros = self.clock.now().as_micros() - i64::try_from(by.as_micros()).unwrap();
        self.clock.set(Timestamp::from_micros(micros).unwrap());
    }
}
