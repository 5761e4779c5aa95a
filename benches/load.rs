//! `cargo bench --bench load`: the real server on its private database, driven over HTTP, with two floors
//! measured in the same run: a bare axum route of the same shape, and plain commits to the same disk.
//!
//! Prints a table and writes it as JSON to `target/bench/load.json`.

#[path = "load/client.rs"]
mod client;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/server.rs"]
mod server;
#[path = "load/table.rs"]
mod table;

use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use client::{Measured, drive};
use server::{Server, validation};
use table::{Demand, Row, Table};

/// Load benchmark: the server, and the floors it stands on.
#[derive(Parser)]
struct Options {
    /// Seconds per row
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Connections for every row, instead of the row's own number
    #[arg(long)]
    clients: Option<usize>,
    /// Drive a server that runs already, instead of one of our own; needs --api-key
    #[arg(long, requires = "api_key")]
    base_url: Option<String>,
    /// Admin key of that server
    #[arg(long)]
    api_key: Option<String>,
    /// Be the bare route (used by the benchmark itself)
    #[arg(long, hide = true)]
    floor: Option<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match &options.floor {
        Some(answer) => runtime.block_on(floor::serve(answer)),
        None => runtime.block_on(run(&options)),
    }
}

async fn run(options: &Options) {
    let span = Duration::from_secs(options.seconds);
    let connections = |own: usize| options.clients.unwrap_or(own);
    let server = match (&options.base_url, &options.api_key) {
        (Some(base), Some(key)) => Server::elsewhere(base, key),
        _ => Server::start(),
    };
    let mut table = Table::default();
    let licenses = prepare(&server).await;

    let one = vec![validation(&licenses[0])];
    let answer = server.once(&one[0]).await;
    let floor = floor::Floor::start(&answer);
    let bare = drive(&floor.address, &[validation(&licenses[0])], connections(32), span).await;
    drop(floor);
    table.push(Row::floor("bare axum route", connections(32), &bare));
    let commits = match server.data_dir() {
        Some(data_dir) => Some(floor::commits(data_dir, span).await),
        None => None,
    };
    if let Some(commits) = &commits {
        table.push(Row::floor("INSERT … COMMIT", 1, commits));
    }

    let validate = Demand {
        floor: "bare axum route",
        ratio: 0.4,
        p99_ratio: Some(4.0),
    };
    let measured = drive(&server.address, &one, connections(32), span).await;
    table.push(Row::demanding(
        "POST /validate, one license",
        connections(32),
        &measured,
        &bare,
        &validate,
    ));
    let many: Vec<_> = licenses.iter().map(|license| validation(license)).collect();
    let measured = drive(&server.address, &many, connections(32), span).await;
    table.push(Row::demanding(
        "POST /validate, 1,000 licenses",
        connections(32),
        &measured,
        &bare,
        &validate,
    ));

    let issued = drive(&server.address, &[server.issuing()], connections(128), span).await;
    let issue = Demand {
        floor: "INSERT … COMMIT",
        ratio: 3.0,
        p99_ratio: None,
    };
    match &commits {
        Some(commits) => table.push(Row::demanding(
            "POST /licenses",
            connections(128),
            &issued,
            commits,
            &issue,
        )),
        None => table.push(Row::floor("POST /licenses", connections(128), &issued)),
    }
    table.print();
    table.write();
    check(&server, licenses.len() as u64 + issued.done()).await;
    server.stop();
}

/// A product, a customer and a thousand licenses; gives their keys.
async fn prepare(server: &Server) -> Vec<String> {
    server.post("/products", &json!({"code": "PRD", "name": "Benchmark", "features": {
        "api_calls": {"limit": 1000}, "export": true, "sso": false, "agents": {"CTO": {"token_limit": 50_000}},
    }})).await;
    let customer = server
        .post(
            "/customers",
            &json!({"name": "Jane Doe", "email": "jane@example.com"}),
        )
        .await;
    server.remember_customer(customer["id"].as_str().expect("a customer has an id"));
    let mut keys = Vec::with_capacity(1000);
    for _ in 0..20 {
        let issuing = (0..50).map(|_| server.post_prepared());
        let issued: Vec<Value> = futures::future::join_all(issuing).await;
        keys.extend(
            issued
                .iter()
                .map(|license| license["key"].as_str().expect("shown once").to_owned()),
        );
    }
    keys
}

/// Whatever the speed: the ledger verifies, and nothing acknowledged is missing.
async fn check(server: &Server, issued: u64) {
    let report = server.get("/ledger/verify").await;
    let (body, _) = report;
    assert_eq!(body["valid"], true, "{body}");
    let (_, total) = server.get("/licenses?page_size=1").await;
    println!(
        "\nledger verified: {} events; {issued} licenses acknowledged, {total} listed",
        body["events_checked"]
    );
    if server.data_dir().is_some() {
        assert_eq!(total, issued);
    }
}

/// What a driver saw, or a floor.
pub(crate) type Figures = Measured;
