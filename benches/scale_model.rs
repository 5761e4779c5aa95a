//! `cargo bench --bench scale_model`: what more nodes would carry, and what stands in the way, out of what things cost.
//!
//! A model, not a measurement: docs/scale.md says what it leaves out. Prints tables and writes them as JSON to
//! `target/bench/scale_model.json`.

#[path = "scale_model/costs.rs"]
mod costs;
#[path = "scale_model/model.rs"]
mod model;
#[path = "scale_model/queue.rs"]
#[allow(dead_code, reason = "its tests read more of what it shows")]
mod queue;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use costs::Costs;
use model::{Carried, Cluster, Routing, Tenants, events, ledger_ceiling, validations};

/// Requests that a queue is tried with.
const TRIED: usize = 200_000;

/// What more nodes would carry, and what stands in the way.
#[derive(Parser)]
struct Options {
    /// File with other figures, as in `benches/scale_model/costs.json`; those that it lacks keep their values
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
    /// What the load benchmark measured: target/bench/load.json
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Another value of a figure
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Numbers of nodes
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16")]
    nodes: Vec<usize>,
    /// Numbers of database servers
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    database_servers: Vec<usize>,
    /// Tenants
    #[arg(long, default_value_t = 1000)]
    tenants: usize,
    /// What the big one has of everything, where there is one
    #[arg(long, default_value_t = 0.9)]
    big: f64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A line of the table.
#[derive(Serialize)]
struct Row {
    tenants: &'static str,
    routing: &'static str,
    nodes: usize,
    database_servers: usize,
    events: Carried,
    largest_ledger_p99_seconds: f64,
    validations: Carried,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale_model: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let at_least_one = options.nodes.iter().chain(&options.database_servers);
    if options.tenants == 0 || at_least_one.clone().any(|count| *count == 0) {
        return Err("there is at least one node, one database server and one tenant".to_owned());
    }
    if !(options.big > 0.0 && options.big < 1.0) {
        return Err("--big is a part of 1".to_owned());
    }
    let costs = figures(options)?;
    println!("Figures:");
    for (name, figure) in costs.iter() {
        println!("  {name:<28} {:>14}  {}", figure.value, figure.source);
    }
    println!("\nOne ledger, at most:");
    for nodes in &options.nodes {
        println!(
            "  written by {nodes:>3} nodes {:>10.0} events/s",
            ledger_ceiling(&costs, *nodes)
        );
    }
    let rows = rows(options, &costs);
    print(&rows);
    write(&rows)
}

/// The defaults, then the file's, then what was measured, then what was set.
fn figures(options: &Options) -> Result<Costs, String> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut costs = Costs::default();
    if let Some(path) = &options.costs {
        costs = costs.with(&read(path)?)?;
    }
    if let Some(path) = &options.load {
        measured(&mut costs, &read(path)?)?;
    }
    for setting in &options.set {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("--set {setting}: NAME=VALUE is wanted"))?;
        let value = value
            .parse()
            .map_err(|_| format!("--set {setting}: {value:?} is no number"))?;
        costs.set(name, value, "--set")?;
    }
    Ok(costs)
}

/// Takes what the load benchmark measured on this machine. Its driver, the server and the database shared the cores, and
/// all of their work is taken for the server's: a node does better.
#[expect(clippy::cast_precision_loss, reason = "there are few cores")]
fn measured(costs: &mut Costs, text: &str) -> Result<(), String> {
    let table: Value = serde_json::from_str(text).map_err(|error| format!("--load: {error}"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    for (figure, path) in [
        ("validate_cpu_seconds", "POST /validate, 1,000 licenses"),
        ("event_cpu_seconds", "POST /usage/record, 1,000 licenses"),
    ] {
        let rows = table["rows"].as_array().ok_or("--load: there are no rows")?;
        let rate = rows
            .iter()
            .find(|row| row["path"] == path)
            .and_then(|row| row["per_second"].as_f64())
            .ok_or_else(|| format!("--load: {path} was not measured"))?;
        costs.set(figure, cores / rate, &format!("--load: {path}"))?;
    }
    Ok(())
}

fn rows(options: &Options, costs: &Costs) -> Vec<Row> {
    let count = options.tenants;
    let sorts = [
        ("equal", Tenants::Equal { count }),
        ("zipf", Tenants::Zipf { count }),
        (
            "one big",
            Tenants::OneBig {
                count,
                share: options.big,
            },
        ),
    ];
    let mut rows = vec![];
    for (tenants, sort) in sorts {
        let shares = sort.shares();
        let largest = shares.iter().copied().fold(0.0, f64::max);
        for (routing, name) in [(Routing::Spread, "spread"), (Routing::Sticky, "sticky")] {
            for &database_servers in &options.database_servers {
                for &nodes in &options.nodes {
                    let cluster = Cluster {
                        nodes,
                        database_servers,
                        routing,
                    };
                    let carried = events(costs, cluster, &shares);
                    let writers = if routing == Routing::Spread { nodes } else { 1 };
                    let waits = queue::run(costs, writers, carried.per_second * largest, TRIED);
                    rows.push(Row {
                        tenants,
                        routing: name,
                        nodes,
                        database_servers,
                        events: carried,
                        largest_ledger_p99_seconds: waits.p99_seconds,
                        validations: validations(costs, nodes),
                    });
                }
            }
        }
    }
    rows
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<8} {:<7} {:>9} {:>6} {:>11}  {:<16} {:>12} {:>14}  bottleneck",
        "tenants", "routing", "databases", "nodes", "events/s", "bottleneck", "ledger p99", "validations/s"
    );
    for row in rows {
        println!(
            "{:<8} {:<7} {:>9} {:>6} {:>11.0}  {:<16} {:>9.2} ms {:>14.0}  {:?}",
            row.tenants,
            row.routing,
            row.database_servers,
            row.nodes,
            row.events.per_second,
            format!("{:?}", row.events.bottleneck),
            row.largest_ledger_p99_seconds * 1000.0,
            row.validations.per_second,
            row.validations.bottleneck,
        );
    }
}

fn write(rows: &[Row]) -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let text = serde_json::to_string_pretty(rows).expect("plain figures");
    std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::write(directory.join("scale_model.json"), text))
        .map_err(|error| format!("the tables could not be written: {error}"))
}
