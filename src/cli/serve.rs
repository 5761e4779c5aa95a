//! `vinzy serve`

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::Answer;
use super::store::{Ground, Store, runtime, told_to_end};
use crate::app::{App, Databases};
use crate::clock::{Clock, Entropy};
use crate::config::{ConnectionConfig, DatabaseConfig, LogConfig, ReplicaConfig, SecretConfig, ServerConfig};
use crate::http;
use crate::http::server::Server;
use crate::mails;
use crate::provisioning::secrets::ProviderSecrets;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

#[derive(Debug, Args)]
#[command(
    after_help = "With nothing set, the server starts a private PostgreSQL under ./data, generates its \
                        secrets there, and prints the admin's key once.\n\n\
                        SIGTERM and SIGINT end it cleanly: requests under way are answered, what waits is \
                        written, the private database is stopped."
)]
pub(super) struct Serve {
    #[command(flatten, next_help_heading = "Server")]
    server: ServerConfig,
    #[command(flatten, next_help_heading = "Connections")]
    connections: ConnectionConfig,
    #[command(flatten, next_help_heading = "Database")]
    database: DatabaseConfig,
    #[command(flatten, next_help_heading = "Database")]
    replica: ReplicaConfig,
    #[command(flatten, next_help_heading = "Secrets")]
    secrets: SecretConfig,
    #[command(flatten, next_help_heading = "Log")]
    log: LogConfig,
}

impl Serve {
    /// Runs the server. `settings` are its own, as they can be shown.
    pub(super) fn run(self, data_dir_given: bool, settings: Settings) -> Result<Answer, Box<dyn Error>> {
        // Before anything is started: what is wrong with these shows without it.
        ProviderSecrets::try_new(&self.server.provisioning)?;
        mails::check(&self.server.provisioning)?;
        let ground = Ground::prepare(self.database.clone(), data_dir_given)?;
        let telemetry = Telemetry::start(&self.log)?;
        ground.notes.iter().for_each(|note| tracing::warn!("{note}"));
        // As the user that renewed certificates will be read as.
        let server = Server::try_new(&self.connections)?;
        let secrets = Secrets::load(&self.secrets, &ground.data_dir, &Entropy::System)?;
        let settings = settings.with(&ground.data_dir, &secrets);
        let served = runtime()?.block_on(self.serve(server, &ground, &secrets, settings));
        telemetry.end();
        served?;
        Ok(Answer::Yes)
    }

    async fn serve(
        &self,
        server: Server,
        ground: &Ground,
        secrets: &Secrets,
        settings: Settings,
    ) -> Result<(), Box<dyn Error>> {
        // Taken before the database is started: a port in use should not cost a recovery.
        let listener = self.listen()?;
        // Asked for from here on, so that a signal during the start is heard, too.
        let mut end = std::pin::pin!(told_to_end());
        let store = tokio::select! {
            store = ground.open() => store?,
            _ = &mut end => return Ok(()),
        };
        let served = self
            .serve_on(&store, server, listener, ground, (secrets, settings), end)
            .await;
        let closed = store.close().await;
        served?;
        closed?;
        tracing::info!("stopped");
        Ok(())
    }

    async fn serve_on(
        &self,
        store: &Store,
        server: Server,
        listener: TcpListener,
        ground: &Ground,
        (secrets, settings): (&Secrets, Settings),
        end: impl Future<Output = std::io::Result<()>>,
    ) -> Result<(), Box<dyn Error>> {
        let replica = self.replica.db_read_url.as_ref();
        let databases = Databases {
            primary: store.pool.clone(),
            replica: replica.map(|url| ground.replica(url)).transpose()?,
        };
        let app = App::start(
            databases,
            &self.server,
            secrets,
            &ground.data_dir,
            settings,
            Clock::System,
            Entropy::System,
        )
        .await?;
        app.metrics.watch(server.connections());
        let scheme = if server.is_encrypted() { "https" } else { "http" };
        let address = listener.local_addr()?;
        self.greet(scheme, address, ground, secrets)?;
        let end = async {
            let _ = end.await;
            tracing::info!("stopping: no new requests, finishing those under way");
            app.wind_down();
        };
        server.serve(listener, http::router(&app), end).await;
        app.stop().await;
        Ok(())
    }

    fn listen(&self) -> Result<TcpListener, String> {
        let address = SocketAddr::new(self.server.host, self.server.port);
        http::server::listen(address).map_err(|error| {
            format!("cannot listen on {address}: {error}. Choose another with VINZY_HOST and VINZY_PORT")
        })
    }

    /// Tells a person what to do next. Keys are shown when they were generated just now, and otherwise
    /// where they are.
    fn greet(
        &self,
        scheme: &str,
        address: SocketAddr,
        ground: &Ground,
        secrets: &Secrets,
    ) -> std::io::Result<()> {
        let base = format!("{scheme}://{address}{}", self.server.api_prefix);
        tracing::info!(%address, "ready");
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "Vinzy-Engine is ready at {base}  (dashboard: {base}/dashboard/, API guide: {base}/docs)"
        )?;
        let kept = ground.data_dir.join("secrets.toml");
        for (name, value) in &secrets.generated {
            writeln!(out, "{name}={}", value.expose())?;
        }
        if !secrets.generated.is_empty() {
            writeln!(
                out,
                "These keys were made just now and are shown this once. They are kept in {}.",
                kept.display()
            )?;
        } else if self.secrets.api_key.is_none() {
            writeln!(out, "The keys are in {}.", kept.display())?;
        }
        if std::io::stdout().is_terminal() || !secrets.generated.is_empty() {
            writeln!(out, "{}", first_license(&base))?;
        }
        out.flush()
    }
}

/// The way to a first license.
fn first_license(base: &str) -> String {
    format!(
        "\nA first license, with that key in VINZY_API_KEY:\n\
         curl -s {base}/products -H \"X-Vinzy-Api-Key: $VINZY_API_KEY\" -H 'Content-Type: application/json' -d '{{\"code\":\"PRD\",\"name\":\"My Product\"}}'\n\
         curl -s {base}/customers -H \"X-Vinzy-Api-Key: $VINZY_API_KEY\" -H 'Content-Type: application/json' -d '{{\"name\":\"Jane Doe\",\"email\":\"jane@example.com\"}}'\n\
         curl -s {base}/licenses -H \"X-Vinzy-Api-Key: $VINZY_API_KEY\" -H 'Content-Type: application/json' -d '{{\"product_code\":\"PRD\",\"customer_id\":\"<id from above>\"}}'\n\
         curl -s {base}/validate -H 'Content-Type: application/json' -d '{{\"key\":\"<key from above>\"}}'\n"
    )
}
