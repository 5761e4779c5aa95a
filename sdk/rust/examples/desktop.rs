//! A desktop application that takes a seat, and that goes on for a week without a network.
//!
//! It knows the server's public keys from when it was built, so that neither an edited lease nor a server of somebody
//! else's opens it.
//!
//! ```sh
//! curl https://licenses.example.com/.well-known/jwks.json > jwks.json
//! cargo run --example desktop --features client -- https://licenses.example.com PRD-… jwks.json lease.json
//! ```

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use vinzy_client::client::{BuildError, LicenseClientBuilder};
use vinzy_client::machines::ActivateRequest;
use vinzy_client::{Error, LicenseClient};

const DAY: u64 = 86_400;

/// What the user sees at start.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    /// Its title.
    pub title: String,
    /// What can be done.
    pub menu: Vec<String>,
    /// What the user should know.
    pub notice: String,
}

/// How long ago the year 1970 began.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The application.
pub struct DesktopApp {
    client: LicenseClient,
    fingerprint: String,
    now: Clock,
}

impl DesktopApp {
    /// `settings` have the server's address, the license key, and where the lease is kept; `fingerprint` is what the machine
    /// is known by, and names nobody: it stands in the vendor's ledger for good.
    pub fn new(
        settings: LicenseClientBuilder,
        jwks: &str,
        fingerprint: &str,
        now: Clock,
    ) -> Result<Self, BuildError> {
        let clock = Arc::clone(&now);
        let client = settings
            .pinned_jwks(jwks)
            .offline_grace(Duration::from_secs(7 * DAY))
            .max_retries(1)
            .clock(move || clock())
            .build()?;
        Ok(Self {
            client,
            fingerprint: fingerprint.to_owned(),
            now,
        })
    }

    /// Opens the window: with everything that the license allows, or with the way to get one.
    pub async fn start(&self) -> Result<Window, Error> {
        let license = self.client.validate(Some(&self.fingerprint)).await?;
        if !license.valid {
            return Ok(unlicensed("Enter a license", license.message));
        }
        let mut notice = String::new();
        if let (true, Some(until)) = (license.offline, license.offline_until) {
            let left = until
                .duration_since(UNIX_EPOCH + (self.now)())
                .unwrap_or_default();
            notice = format!("Offline: connect within {} days", left.as_secs() / DAY);
        } else if !self.has_seat().await {
            let why = "All seats of the license are taken".to_owned();
            return Ok(unlicensed("Give up a seat", why));
        }
        let mut menu = vec!["Open".to_owned()];
        menu.extend(license.features);
        Ok(Window {
            title: format!("Paint ({})", license.tier),
            menu,
            notice,
        })
    }

    /// Whoever has a seat keeps it; that costs no other. Without an answer the lease still holds.
    async fn has_seat(&self) -> bool {
        let machine = ActivateRequest {
            fingerprint: self.fingerprint.clone(),
            platform: std::env::consts::OS.to_owned(),
            ..ActivateRequest::default()
        };
        match self.client.activate_with(machine, None).await {
            Ok(seat) => seat.success,
            Err(_) => true,
        }
    }
}

fn unlicensed(way_out: &str, notice: String) -> Window {
    Window {
        title: "Unlicensed".to_owned(),
        menu: vec![way_out.to_owned()],
        notice,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, key, jwks, state] = &arguments[..] else {
        return Err("usage: desktop SERVER LICENSE_KEY JWKS_FILE LEASE_FILE".into());
    };
    let settings = LicenseClient::builder(server).license_key(key).lease_store(state);
    let jwks = std::fs::read_to_string(jwks)?;
    let clock = || UNIX_EPOCH.elapsed().unwrap_or_default();
    let app = DesktopApp::new(settings, &jwks, "this machine", Arc::new(clock))?;
    let Window { title, menu, notice } = app.start().await?;
    println!("{title}\n{}\n{notice}", menu.join(" | "));
    Ok(())
}
