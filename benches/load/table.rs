//! The figures as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use super::Figures;

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
    per_second: f64,
    p50_micros: u64,
    p99_micros: u64,
    max_micros: u64,
    errors: u64,
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
            path: path.to_owned(),
            connections,
            per_second: figures.per_second(),
            p50_micros: figures.latencies.value_at_quantile(0.5),
            p99_micros: figures.p99(),
            max_micros: figures.latencies.max(),
            errors: figures.errors,
            of_floor: None,
            p99_of_floor: None,
            demanded: None,
            holds: None,
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

#[derive(Default, Serialize)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!(
            "\n{:<44} {:>5} {:>9} {:>9} {:>9} {:>9} {:>6} {:>7} {:>7}  demanded",
            "path", "conns", "per s", "p50 µs", "p99 µs", "max µs", "errors", "ratio", "p99"
        );
        for row in &self.rows {
            let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let verdict = match row.holds {
                Some(true) => "holds",
                Some(false) => "FALLS SHORT",
                None => "",
            };
            println!(
                "{:<44} {:>5} {:>9.0} {:>9} {:>9} {:>9} {:>6} {:>7} {:>7}  {} {verdict}",
                row.path,
                row.connections,
                row.per_second,
                row.p50_micros,
                row.p99_micros,
                row.max_micros,
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
