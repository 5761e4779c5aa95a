//! The figures as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use super::Figures;
use super::process::Cost;

/// What a row must reach.
pub(crate) struct Demand {
    /// Beside which floor.
    pub(crate) floor: &'static str,
    /// At least so much of its rate.
    pub(crate) ratio: f64,
    /// At most so many times its p99.
    pub(crate) p99_ratio: Option<f64>,
    /// At most this p99.
    pub(crate) p99: Option<Duration>,
}

#[derive(Serialize)]
pub(crate) struct Row {
    path: String,
    connections: usize,
    per_second: Option<f64>,
    p50_micros: Option<u64>,
    p99_micros: Option<u64>,
    max_micros: Option<u64>,
    errors: u64,
    /// Memory that is held, in bytes.
    resident: Option<u64>,
    of_floor: Option<f64>,
    p99_of_floor: Option<f64>,
    demanded: Option<String>,
    holds: Option<bool>,
}

impl Row {
    /// A row that others stand beside.
    pub(crate) fn floor(path: &str, connections: usize, figures: &Figures) -> Self {
        Self {
            demanded: Some("(floor)".to_owned()),
            ..Self::plain(path, connections, figures)
        }
    }

    /// A row of which nothing is demanded.
    pub(crate) fn plain(path: &str, connections: usize, figures: &Figures) -> Self {
        Self {
            connections,
            per_second: Some(figures.per_second()),
            p50_micros: Some(figures.latencies.value_at_quantile(0.5)),
            p99_micros: Some(figures.p99()),
            max_micros: Some(figures.latencies.max()),
            errors: figures.errors,
            ..Self::named(path)
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio is shown with few digits")]
    pub(crate) fn demanding(
        path: &str,
        connections: usize,
        figures: &Figures,
        floor: &Figures,
        demand: &Demand,
    ) -> Self {
        let of_floor = figures.per_second() / floor.per_second();
        let p99_of_floor = figures.p99() as f64 / floor.p99() as f64;
        let fast = of_floor >= demand.ratio && figures.errors == 0;
        let steady = demand.p99_ratio.is_none_or(|limit| p99_of_floor <= limit)
            && demand
                .p99
                .is_none_or(|limit| u128::from(figures.p99()) <= limit.as_micros());
        let p99 = match (demand.p99_ratio, demand.p99) {
            (Some(limit), _) => format!(", p99 ≤ {limit} ×"),
            (None, Some(limit)) => format!(", p99 ≤ {} ms", limit.as_millis()),
            (None, None) => String::new(),
        };
        Self {
            of_floor: Some(of_floor),
            p99_of_floor: demand.p99_ratio.map(|_| p99_of_floor),
            demanded: Some(format!("≥ {} × {}{p99}", demand.ratio, demand.floor)),
            holds: Some(fast && steady),
            ..Self::plain(path, connections, figures)
        }
    }

    /// A row that may cost at most so many times what another costs: by the median, over as many connections.
    #[expect(clippy::cast_precision_loss, reason = "a ratio is shown with few digits")]
    pub(crate) fn costing(
        path: &str,
        connections: usize,
        figures: &Figures,
        before: (&str, &Figures),
        limit: f64,
    ) -> Self {
        let (name, before) = before;
        let median = |figures: &Figures| figures.latencies.value_at_quantile(0.5) as f64;
        let cost = median(figures) / median(before);
        Self {
            of_floor: Some(cost),
            demanded: Some(format!("median ≤ {limit} × {name}")),
            holds: Some(cost <= limit && figures.errors == 0),
            ..Self::plain(path, connections, figures)
        }
    }
}

impl Row {
    /// A row whose p99 may be at most so many times another's, over as many connections.
    #[expect(clippy::cast_precision_loss, reason = "a ratio is shown with few digits")]
    pub(crate) fn lagging(
        path: &str,
        connections: usize,
        figures: &Figures,
        before: (&str, &Figures),
        limit: f64,
    ) -> Self {
        let (name, before) = before;
        let ratio = figures.p99() as f64 / before.p99() as f64;
        Self {
            p99_of_floor: Some(ratio),
            demanded: Some(format!("p99 ≤ {limit} × {name}")),
            holds: Some(ratio <= limit && figures.errors == 0),
            ..Self::plain(path, connections, figures)
        }
    }

    /// So many things that a command of the program did: at least so many per second, in at most so much memory. The ratio
    /// is that of the memory at its highest to its highest in the first quarter of the time.
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
    pub(crate) fn command(path: &str, done: u64, cost: &Cost, per_second: f64, limit: u64) -> Self {
        let rate = done as f64 / cost.took.as_secs_f64();
        Self {
            per_second: Some(rate),
            resident: Some(cost.peak),
            of_floor: Some(cost.peak as f64 / cost.early.max(1) as f64),
            demanded: Some(format!("≥ {per_second}/s, ≤ {} MB", limit / 1_000_000)),
            holds: Some(rate >= per_second && cost.peak <= limit),
            ..Self::named(path)
        }
    }

    /// Memory, of which at most so much is allowed.
    pub(crate) fn memory(path: &str, resident: u64, limit: Option<u64>) -> Self {
        Self {
            resident: Some(resident),
            demanded: limit.map(|limit| format!("≤ {} MB", limit / 1_000_000)),
            holds: limit.map(|limit| resident <= limit),
            ..Self::named(path)
        }
    }

    /// A rate of which nothing is demanded.
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
    pub(crate) fn rate(path: &str, connections: usize, done: u64, took: Duration) -> Self {
        Self {
            connections,
            per_second: Some(done as f64 / took.as_secs_f64()),
            ..Self::named(path)
        }
    }

    fn named(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            connections: 1,
            per_second: None,
            p50_micros: None,
            p99_micros: None,
            max_micros: None,
            errors: 0,
            resident: None,
            of_floor: None,
            p99_of_floor: None,
            demanded: None,
            holds: None,
        }
    }
}

/// What was measured, and where.
#[derive(Serialize)]
pub(crate) struct Table {
    version: &'static str,
    cores: usize,
    /// Seconds per row.
    seconds: u64,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(seconds: u64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            seconds,
            rows: vec![],
        }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!(
            "\n{:<44} {:>5} {:>9} {:>9} {:>9} {:>9} {:>6} {:>6} {:>7} {:>7}  demanded",
            "path", "conns", "per s", "p50 µs", "p99 µs", "max µs", "MB", "errors", "ratio", "p99"
        );
        for row in &self.rows {
            let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let whole = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let verdict = match row.holds {
                Some(true) => "holds",
                Some(false) => "FALLS SHORT",
                None => "",
            };
            println!(
                "{:<44} {:>5} {:>9} {:>9} {:>9} {:>9} {:>6} {:>6} {:>7} {:>7}  {} {verdict}",
                row.path,
                row.connections,
                row.per_second
                    .map(|rate| format!("{rate:.0}"))
                    .unwrap_or_default(),
                whole(row.p50_micros),
                whole(row.p99_micros),
                whole(row.max_micros),
                whole(row.resident.map(|bytes| bytes / 1_000_000)),
                row.errors,
                ratio(row.of_floor),
                ratio(row.p99_of_floor),
                row.demanded.as_deref().unwrap_or_default(),
            );
        }
    }

    pub(crate) fn write(&self) {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        let text = serde_json::to_string_pretty(self).expect("plain figures");
        let written = std::fs::create_dir_all(&directory)
            .and_then(|()| std::fs::write(directory.join("load.json"), text));
        if let Err(error) = written {
            eprintln!("the figures could not be written: {error}");
        }
    }
}
