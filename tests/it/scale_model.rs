//! The scale model (`cargo bench --bench scale_model`): what must hold of any queue, and of any cluster.

#[path = "../../benches/scale_model/costs.rs"]
mod costs;
#[path = "../../benches/scale_model/model.rs"]
mod model;
#[path = "../../benches/scale_model/queue.rs"]
mod queue;

use costs::Costs;
use model::{Bottleneck, Cluster, Routing, Tenants, batch_seconds, events, ledger_ceiling, validations};

const NODES: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 64];

fn costs(others: &[(&str, f64)]) -> Costs {
    let mut costs = Costs::default();
    for (name, value) in others {
        costs.set(name, *value, "a test").unwrap();
    }
    costs
}

fn sorts() -> [Tenants; 4] {
    [
        Tenants::Equal { count: 1 },
        Tenants::Equal { count: 1000 },
        Tenants::Zipf { count: 1000 },
        Tenants::OneBig {
            count: 1000,
            share: 0.9,
        },
    ]
}

fn cluster(nodes: usize, database_servers: usize, routing: Routing) -> Cluster {
    Cluster {
        nodes,
        database_servers,
        routing,
    }
}

#[test]
fn figures_say_where_they_come_from() {
    let costs = Costs::default();
    for (name, figure) in costs.iter() {
        assert!(figure.value > 0.0 && figure.source.len() > 3, "{name}");
        let kinds = [
            "measured",
            "counted",
            "demanded",
            "assumed",
            "chosen",
            "the program",
        ];
        assert!(
            kinds.iter().any(|kind| figure.source.starts_with(kind)),
            "{name}: {}",
            figure.source
        );
    }
    assert!(
        costs
            .clone()
            .with(r#"{"speed": {"value": 1, "source": "x"}}"#)
            .is_err()
    );
    assert!(
        costs
            .clone()
            .with(r#"{"node_cores": {"value": 0, "source": "x"}}"#)
            .is_err()
    );
    let other = costs
        .with(r#"{"node_cores": {"value": 64, "source": "x"}}"#)
        .unwrap();
    assert!((other.get("node_cores") - 64.0).abs() < f64::EPSILON);
}

#[test]
fn the_batch_is_the_programs() {
    let writer =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/ledger/writer.rs")).unwrap();
    let batch = Costs::default().get("batch_events");
    assert!(writer.contains(&format!("const MAX_BATCH: usize = {batch};")));
}

#[test]
fn shares_are_parts_of_everything() {
    for tenants in sorts() {
        let shares = tenants.shares();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{tenants:?}");
        assert!(shares.iter().all(|share| *share > 0.0), "{tenants:?}");
    }
}

#[test]
fn another_node_never_carries_less_where_tenants_stay_with_one() {
    let costs = Costs::default();
    for tenants in sorts() {
        let shares = tenants.shares();
        for servers in [1, 4] {
            let carried =
                NODES.map(|nodes| events(&costs, cluster(nodes, servers, Routing::Sticky), &shares));
            for pair in carried.windows(2) {
                assert!(
                    pair[1].per_second >= pair[0].per_second * (1.0 - 1e-9),
                    "{tenants:?} {servers}: {carried:?}"
                );
            }
        }
    }
}

#[test]
fn another_node_carries_more_until_something_else_is_short() {
    let costs = costs(&[("database_commits_per_second", 1e5), ("event_cpu_seconds", 0.001)]);
    let shares = Tenants::Equal { count: 1000 }.shares();
    for routing in [Routing::Spread, Routing::Sticky] {
        let one = events(&costs, cluster(1, 1, routing), &shares);
        assert_eq!(one.bottleneck, Bottleneck::NodeCpu);
        let two = events(&costs, cluster(2, 1, routing), &shares);
        assert!((two.per_second / one.per_second - 2.0).abs() < 1e-6);
        let many = events(&costs, cluster(64, 1, routing), &shares);
        assert_ne!(many.bottleneck, Bottleneck::NodeCpu);
        let more = events(&costs, cluster(64, 8, routing), &shares);
        assert!(
            more.per_second > many.per_second,
            "more database servers carry more"
        );
    }
}

#[test]
fn one_ledger_never_exceeds_its_batches() {
    let costs = costs(&[
        ("node_cores", 1e6),
        ("database_cores", 1e6),
        ("link_bytes_per_second", 1e15),
    ]);
    let ceiling = ledger_ceiling(&costs, 1);
    assert!(ceiling < 1.0 / costs.get("event_seconds"));
    for tenants in sorts() {
        let shares = tenants.shares();
        let largest = shares.iter().copied().fold(0.0, f64::max);
        for nodes in NODES {
            for routing in [Routing::Spread, Routing::Sticky] {
                let carried = events(&costs, cluster(nodes, 64, routing), &shares);
                assert!(carried.per_second * largest <= ceiling, "{tenants:?} {nodes}");
            }
        }
    }
    let alone = events(&costs, cluster(64, 64, Routing::Sticky), &[1.0]);
    assert_eq!(alone.bottleneck, Bottleneck::LedgerLock);
    let shared = events(&costs, cluster(64, 64, Routing::Spread), &[1.0]);
    assert!(
        shared.per_second < alone.per_second,
        "nodes that share a ledger follow each other"
    );
}

#[test]
fn what_is_short_is_named() {
    let shares = Tenants::Equal { count: 1000 }.shares();
    let plenty = [
        ("node_cores", 1e6),
        ("database_cores", 1e6),
        ("database_commits_per_second", 1e9),
        ("link_bytes_per_second", 1e15),
    ];
    for (name, value, expected) in [
        ("node_cores", 0.5, Bottleneck::NodeCpu),
        ("database_cores", 0.5, Bottleneck::DatabaseCpu),
        ("database_commits_per_second", 100.0, Bottleneck::DatabaseCommit),
        ("link_bytes_per_second", 1e5, Bottleneck::Network),
    ] {
        let mut costs = costs(&plenty);
        costs.set(name, value, "a test").unwrap();
        for routing in [Routing::Spread, Routing::Sticky] {
            let carried = events(&costs, cluster(4, 1, routing), &shares);
            assert_eq!(carried.bottleneck, expected, "{name} {routing:?}");
        }
    }
}

#[test]
fn validations_grow_with_nodes() {
    let costs = costs(&[("link_bytes_per_second", 1e15)]);
    let one = validations(&costs, 1);
    assert_eq!(one.bottleneck, Bottleneck::NodeCpu);
    for nodes in NODES {
        let carried = validations(&costs, nodes).per_second;
        let times = f64::from(u32::try_from(nodes).unwrap());
        assert!((carried / one.per_second / times - 1.0).abs() < 1e-9, "{nodes}");
    }
    let narrow = validations(&self::costs(&[("link_bytes_per_second", 1e6)]), 1);
    assert_eq!(narrow.bottleneck, Bottleneck::Network);
}

#[test]
fn a_queue_loses_and_invents_nothing() {
    let costs = Costs::default();
    let ceiling = ledger_ceiling(&costs, 1);
    for part in [0.01, 0.3, 0.8, 0.95] {
        let rate = part * ceiling;
        let waits = queue::run(&costs, 1, rate, 50_000);
        assert!(
            (waits.per_second / rate - 1.0).abs() < 0.02,
            "{part}: {} of {rate}",
            waits.per_second
        );
        // Little's law: what is present is what comes in the time that it stays.
        let present = waits.per_second * waits.mean_seconds;
        assert!((present / waits.mean_present - 1.0).abs() < 1e-6, "{part}");
        assert!(waits.mean_seconds >= batch_seconds(&costs, 1, 1.0), "{part}");
        assert!(waits.p99_seconds >= waits.mean_seconds, "{part}");
    }
}

#[test]
fn a_queue_that_is_asked_too_much_works_at_its_ceiling() {
    let costs = Costs::default();
    for writers in [1, 4] {
        let ceiling = ledger_ceiling(&costs, writers);
        let waits = queue::run(&costs, writers, 3.0 * ceiling, 50_000);
        assert!(waits.per_second <= ceiling, "{writers}");
        assert!(
            waits.per_second > 0.98 * ceiling,
            "{writers}: {} of {ceiling}",
            waits.per_second
        );
        assert!(waits.mean_batch > 0.9 * costs.get("batch_events"));
    }
}

#[test]
fn batches_grow_with_what_waits() {
    let costs = Costs::default();
    let ceiling = ledger_ceiling(&costs, 1);
    let calm = queue::run(&costs, 1, 0.001 * ceiling, 20_000);
    let busy = queue::run(&costs, 1, 0.9 * ceiling, 50_000);
    assert!(calm.mean_batch < 1.2, "{}", calm.mean_batch);
    assert!(busy.mean_batch > 20.0 * calm.mean_batch, "{}", busy.mean_batch);
    assert!(busy.mean_seconds > calm.mean_seconds);
}
