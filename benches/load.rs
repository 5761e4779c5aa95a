//! `cargo bench --bench load`: the real server on its private database, driven over HTTP, with two floors
//! measured in the same run: a bare axum route of the same shape, and plain commits to the same disk.
//!
//! Prints a table and writes it as JSON to `target/bench/load.json`.

#[path = "load/client.rs"]
mod client;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/history.rs"]
mod history;
#[path = "load/process.rs"]
mod process;
#[path = "load/server.rs"]
mod server;
#[path = "load/table.rs"]
mod table;

use std::time::Duration;

use clap::Parser;
use serde_json::json;

use client::{Connection, Measured, Requests, Target, drive, pace};
use server::{Issued, Server, thousand};
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
    /// Only these parts, instead of all
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Licenses in the lists
    #[arg(long, default_value_t = 100_000)]
    licenses: u64,
    /// Events of the history that is verified, replayed and travelled in
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// What the history's mix derives from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Records on the long meter
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
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

/// Parts of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Validate,
    Licenses,
    Usage,
    Meter,
    Activate,
    Tenants,
    Lists,
    Webhooks,
    History,
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
    let start = || match (&options.base_url, &options.api_key) {
        (Some(base), Some(key)) => match Target::parse(base, key) {
            Ok(target) => Server::elsewhere(target),
            Err(problem) => {
                eprintln!("load: {problem}");
                std::process::exit(2);
            }
        },
        _ => Server::start(),
    };
    let wanted = |part: Part| options.only.is_empty() || options.only.contains(&part);
    let mut table = Table::new(options.seconds);
    let beside_history = options.only != [Part::History];
    if beside_history {
        table = requests(options, start(), table, wanted).await;
    }
    if wanted(Part::History) {
        history(options, start(), &mut table).await;
    }
    table.print();
    table.write();
}

/// All parts that consist of requests, on one server.
async fn requests(options: &Options, server: Server, table: Table, wanted: impl Fn(Part) -> bool) -> Table {
    let span = Duration::from_secs(options.seconds);
    let empty = if wanted(Part::Lists) {
        Some(drive(&server.target.address, first_page(&server), LISTING, span).await)
    } else {
        None
    };
    let mut bench = Bench {
        span,
        clients: options.clients,
        licenses: prepare(&server).await,
        server,
        table,
        commits: None,
        issued: 1000,
    };
    // Between parts what is read catches up, so that no part pays for the one before.
    if wanted(Part::Validate) {
        bench.validations().await;
        bench.server.catch_up().await;
    }
    bench.commits().await;
    if wanted(Part::Licenses) {
        bench.licenses().await;
        bench.server.catch_up().await;
    }
    if wanted(Part::Usage) {
        bench.usage().await;
        bench.server.catch_up().await;
    }
    if wanted(Part::Meter) {
        bench.long_meter(options.records).await;
        bench.server.catch_up().await;
    }
    if wanted(Part::Activate) {
        bench.activations().await;
        bench.server.catch_up().await;
    }
    if wanted(Part::Tenants) {
        bench.tenants().await;
        bench.server.catch_up().await;
    }
    if let Some(empty) = empty {
        bench.lists(options.licenses, &empty).await;
        bench.at_rest().await;
    }
    // The last one: it leaves more deliveries behind than anybody would wait for.
    if wanted(Part::Webhooks) {
        bench.webhooks().await;
    }
    check(&bench.server, bench.issued).await;
    bench.server.stop();
    bench.table
}

/// Connections that read lists.
const LISTING: usize = 4;
/// Memory that a server at rest may hold, in bytes.
const REST: u64 = 200_000_000;

fn first_page(server: &Server) -> Requests {
    Requests::Turns(vec![server.target.get("/licenses?page_size=20")])
}

/// A ledger with a long history of everything that happens: made, asked for what was, verified and replayed.
async fn history(options: &Options, server: Server, table: &mut Table) {
    let made = history::make(&server, options.events, options.seed).await;
    println!(
        "a history of {} events, by {} requests in {:.0} s",
        made.events,
        made.requests,
        made.took.as_secs_f64()
    );
    let connections = usize::try_from(history::SELLERS).unwrap_or_default();
    table.push(Row::rate(
        "a mix of everything, events",
        connections,
        made.events,
        made.took,
    ));
    server.catch_up().await;
    // Of what is older than that.
    let (position, licenses) = (made.events / 2, &made.licenses[..made.licenses.len().div_ceil(3)]);
    let (span, address) = (Duration::from_secs(options.seconds), &server.target.address);
    for ask in ["/licenses", "/usage"] {
        let paths = licenses.iter().map(|id| format!("{ask}/{id}?at={position}"));
        let requests = paths.map(|path| server.target.get(&path)).collect();
        let measured = drive(address, Requests::Turns(requests), LISTING, span).await;
        table.push(Row::plain(
            &format!("GET {ask}/…?at={position}"),
            LISTING,
            &measured,
        ));
    }
    let Some(data_dir) = server.data_dir() else {
        return;
    };
    let events = server.size().await;
    for (arguments, per_second) in [
        (&["verify"][..], 200_000.0),
        (&["replay", "--verify", "--dry-run"], 20_000.0),
    ] {
        let cost = process::run(data_dir, arguments);
        let path = format!("vinzy {}, {events} events", arguments.join(" "));
        table.push(Row::command(&path, events, &cost, per_second, REST));
    }
}

/// A run of the benchmark.
struct Bench {
    server: Server,
    span: Duration,
    clients: Option<usize>,
    /// Keys of a thousand licenses.
    licenses: Vec<String>,
    table: Table,
    /// What plain commits give, if the database can be reached.
    commits: Option<Figures>,
    /// Licenses in all.
    issued: u64,
}

impl Bench {
    fn connections(&self, own: usize) -> usize {
        self.clients.unwrap_or(own)
    }

    /// Drives the server over so many connections; a row beside plain commits if a ratio is demanded.
    async fn beside_commits(
        &mut self,
        path: &str,
        connections: usize,
        requests: Requests,
        ratio: Option<f64>,
        p99: Option<Duration>,
    ) -> Figures {
        let connections = self.connections(connections);
        let measured = drive(&self.server.target.address, requests, connections, self.span).await;
        let demand = |ratio| Demand {
            floor: "INSERT … COMMIT",
            ratio,
            p99_ratio: None,
            p99,
        };
        self.table.push(match (&self.commits, ratio) {
            (Some(commits), Some(ratio)) => {
                Row::demanding(path, connections, &measured, commits, &demand(ratio))
            }
            _ => Row::plain(path, connections, &measured),
        });
        measured
    }

    async fn validations(&mut self) {
        let one = self.server.target.validation(&self.licenses[0]);
        let answer = self.server.once(&one).await;
        let floor = floor::Floor::start(&answer);
        let connections = self.connections(32);
        let only = || Requests::Turns(vec![one.clone()]);
        let bare = Target::at(floor.address.clone(), String::new()).validation(&self.licenses[0]);
        let bare = drive(
            &floor.address,
            Requests::Turns(vec![bare]),
            connections,
            self.span,
        )
        .await;
        drop(floor);
        self.table.push(Row::floor("bare axum route", connections, &bare));
        let demand = Demand {
            floor: "bare axum route",
            ratio: 0.4,
            p99_ratio: Some(4.0),
            p99: None,
        };
        let many = self
            .licenses
            .iter()
            .map(|license| self.server.target.validation(license))
            .collect();
        for (path, requests) in [
            ("POST /validate, one license", only()),
            ("POST /validate, 1,000 licenses", Requests::Turns(many)),
        ] {
            let measured = drive(&self.server.target.address, requests, connections, self.span).await;
            self.table
                .push(Row::demanding(path, connections, &measured, &bare, &demand));
        }
    }

    async fn commits(&mut self) {
        let Some(data_dir) = self.server.data_dir() else {
            return;
        };
        let commits = floor::commits(data_dir, self.span).await;
        self.table.push(Row::floor("INSERT … COMMIT", 1, &commits));
        self.commits = Some(commits);
    }

    async fn licenses(&mut self) {
        let requests = Requests::Turns(vec![self.server.issuing()]);
        let issued = self
            .beside_commits("POST /licenses", 128, requests, Some(3.0), None)
            .await;
        self.issued += issued.done();
    }

    async fn usage(&mut self) {
        let license = self.server.issue_unlimited().await;
        self.issued += 1;
        let p99 = Some(Duration::from_millis(50));
        let one = Requests::Turns(vec![self.server.target.use_of(&license.key, "calls", None)]);
        let mut done = self
            .beside_commits("POST /usage/record, one license", 64, one, Some(5.0), p99)
            .await
            .done();
        self.server.catch_up().await;
        let (target, key) = (self.server.target.clone(), license.key.clone());
        let keyed = Requests::Made(Box::new(move |client, number| {
            target.use_of(&key, "calls", Some(&format!("{client}-{number}")))
        }));
        done += self
            .beside_commits("POST /usage/record, idempotency keys", 64, keyed, None, None)
            .await
            .done();
        self.expect_total(&license, "calls", done).await;
        let many = self
            .licenses
            .iter()
            .map(|key| self.server.target.use_of(key, "calls", None))
            .collect();
        self.beside_commits(
            "POST /usage/record, 1,000 licenses",
            64,
            Requests::Turns(many),
            Some(5.0),
            p99,
        )
        .await;
    }

    /// What one record costs on a new meter, and on the same one after many.
    async fn long_meter(&mut self, records: u64) {
        let license = self.server.issue_unlimited().await;
        self.issued += 1;
        let single = || Requests::Turns(vec![self.server.target.use_of(&license.key, "long", None)]);
        let first = drive(&self.server.target.address, single(), 1, self.span).await;
        self.table
            .push(Row::plain("POST /usage/record, a new meter", 1, &first));
        let batch = self.server.target.thousand_uses_of(&license.key, "long");
        let filling = (0..8).map(|_| async {
            let mut connection = Connection::open(&self.server.target.address).await;
            for _ in 0..records / 8_000 {
                let (status, answer) = connection.exchange(&batch).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
            }
        });
        let start = std::time::Instant::now();
        futures::future::join_all(filling).await;
        let filled = records / 8_000 * 8_000;
        println!(
            "{filled} records in batches of 1,000 over 8 connections: {:.0}/s",
            Duration::from_secs(filled).as_secs_f64() / start.elapsed().as_secs_f64()
        );
        // What is read from them has caught up before the figures count.
        self.expect_total(&license, "long", first.done() + filled).await;
        let after = drive(&self.server.target.address, single(), 1, self.span).await;
        self.table.push(Row::costing(
            &format!("POST /usage/record, after {filled}"),
            1,
            &after,
            ("a new meter", &first),
            1.2,
        ));
        self.expect_total(&license, "long", first.done() + filled + after.done())
            .await;
    }

    async fn activations(&mut self) {
        let license = self.server.issue_unlimited().await;
        self.issued += 1;
        let (target, key) = (self.server.target.clone(), license.key.clone());
        let fresh = Requests::Made(Box::new(move |client, number| {
            target.activation(&key, &format!("machine-{client}-{number}"))
        }));
        let done = self
            .beside_commits("POST /activate, one license", 64, fresh, Some(4.0), None)
            .await
            .done();
        let path = format!("/licenses/{}/machines?page_size=1", license.id);
        let (_, total) = self.server.get_patiently(&path).await;
        assert_eq!(total, done, "machines acknowledged, and listed");
    }

    /// Lists of many licenses, beside the empty one.
    async fn lists(&mut self, licenses: u64, empty: &Figures) {
        self.table
            .push(Row::floor("GET /licenses, none yet", LISTING, empty));
        let missing = licenses.saturating_sub(self.issued);
        let issuing = self.server.issuing();
        let filling = (0..64).map(|_| async {
            let mut connection = Connection::open(&self.server.target.address).await;
            for _ in 0..missing.div_ceil(64) {
                let (status, answer) = connection.exchange(&issuing).await;
                assert_eq!(status, 201, "{}", String::from_utf8_lossy(answer));
            }
        });
        futures::future::join_all(filling).await;
        self.issued += missing.div_ceil(64) * 64;
        self.server.catch_up().await;
        let deep = self.server.page_after(self.issued / 2).await;
        let pages = [
            ("first page", first_page(&self.server)),
            ("deep cursor", Requests::Turns(vec![deep])),
        ];
        for (page, requests) in pages {
            let measured = drive(&self.server.target.address, requests, LISTING, self.span).await;
            let path = format!("GET /licenses of {}, {page}", self.issued);
            self.table
                .push(Row::lagging(&path, LISTING, &measured, ("none yet", empty), 10.0));
        }
    }

    /// What a server holds that has nothing to do: after all that load, and after its next start.
    async fn at_rest(&mut self) {
        let licenses = self.issued;
        let mut push = |server: &Server, when: &str, limit| {
            if let Some(resident) = server.resident() {
                let path = format!("at rest {when}, {licenses} licenses");
                self.table.push(Row::memory(&path, resident, limit));
            }
        };
        tokio::time::sleep(self.span).await;
        push(&self.server, "after the load", None);
        self.server.restart();
        self.server.catch_up().await;
        tokio::time::sleep(self.span).await;
        push(&self.server, "after a start", Some(REST));
    }

    /// Two tenants who ask evenly; then one of them asks twenty times what it may.
    async fn tenants(&mut self) {
        const RATE: u32 = 100;
        let limited = self.server.tenant("busy", Some(60 * RATE)).await;
        let (Some(busy), Some(calm)) = (limited, self.server.tenant("calm", None).await) else {
            return;
        };
        let (address, span) = (self.server.target.address.clone(), self.span);
        let asking = |requests: &[Vec<u8>], connections, per_second| {
            let requests = Requests::Turns(requests.to_vec());
            let address = address.clone();
            async move { pace(&address, requests, connections, per_second, span).await }
        };
        let (busy_alone, calm_alone) =
            tokio::join!(asking(&busy.asking, 4, RATE - 10), asking(&calm.asking, 4, RATE));
        let (flooding, calm_beside) =
            tokio::join!(asking(&busy.asking, 64, 20 * RATE), asking(&calm.asking, 4, RATE));
        self.table.push(Row::plain("a tenant at 100/s", 4, &calm_alone));
        self.table.push(Row::costing(
            "the same beside a flood of 2,000/s",
            4,
            &calm_beside,
            ("without", &calm_alone),
            2.0,
        ));
        self.table
            .push(Row::plain("a tenant at 90/s of 100/s", 4, &busy_alone));
        self.table
            .push(Row::plain("the same at 2,000/s, what passes", 64, &flooding));
        let requests = Requests::Turns(vec![calm.issuing]);
        self.beside_commits("POST /licenses, a tenant's key", 128, requests, None, None)
            .await;
    }

    /// Records without endpoints, beside a thousand that want other events, and beside a thousand that want each of
    /// them and cannot be reached.
    async fn webhooks(&mut self) {
        let license = self.server.issue_unlimited().await;
        self.issued += 1;
        let recording = || Requests::Turns(vec![self.server.target.use_of(&license.key, "calls", None)]);
        let connections = self.connections(64);
        let none = drive(&self.server.target.address, recording(), connections, self.span).await;
        self.table
            .push(Row::plain("POST /usage/record, no endpoints", connections, &none));
        let mut done = none.done();
        for (path, wanted) in [
            ("the same, 1,000 endpoints for others", "license.created"),
            ("the same, 1,000 more for each record", "usage.recorded"),
        ] {
            self.server.catch_up().await;
            self.server.thousand_endpoints(wanted).await;
            let measured = drive(&self.server.target.address, recording(), connections, self.span).await;
            self.table.push(Row::costing(
                path,
                connections,
                &measured,
                ("no endpoints", &none),
                1.2,
            ));
            done += measured.done();
        }
        self.expect_total(&license, "calls", done).await;
    }

    /// Everything that was acknowledged is counted, once.
    async fn expect_total(&self, license: &Issued, metric: &str, done: u64) {
        let (totals, _) = self.server.get_patiently(&format!("/usage/{}", license.id)).await;
        let total = totals
            .as_array()
            .and_then(|totals| totals.iter().find(|total| total["metric"] == metric))
            .expect("it was recorded");
        assert_eq!(
            total["total_value"].as_u64(),
            Some(done),
            "records acknowledged, and counted"
        );
    }
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
    let issued = thousand(|_| server.issue_unlimited()).await;
    issued.into_iter().map(|license| license.key).collect()
}

/// Whatever the speed: the ledger verifies, and nothing acknowledged is missing.
async fn check(server: &Server, issued: u64) {
    if server.data_dir().is_none() {
        return;
    }
    let (body, _) = server.get("/ledger/verify").await;
    assert_eq!(body["valid"], true, "{body}");
    let (_, total) = server.get_patiently("/licenses?page_size=1").await;
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
