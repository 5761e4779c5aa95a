//! What so many nodes carry: the least that any resource allows, and which that is.
//!
//! A batch of b events holds its ledger for `commit + b × event` seconds. Everything else is shared: cores of nodes and
//! of database servers, commits of a write-ahead log, links.

use serde::Serialize;

use super::costs::Costs;

/// What there would have to be more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bottleneck {
    /// The busiest ledger's lock: more nodes do not help, more ledgers do.
    LedgerLock,
    /// Cores of nodes.
    NodeCpu,
    /// Cores of the database.
    DatabaseCpu,
    /// Commits of the database's write-ahead log.
    DatabaseCommit,
    /// A link.
    Network,
}

/// How requests of a tenant come to nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Routing {
    /// To any node: nodes take turns at each ledger's lock, and follow each other.
    Spread,
    /// Each tenant's to one node, which stays alone on its ledger.
    Sticky,
}

/// Nodes and database servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster {
    pub(crate) nodes: usize,
    pub(crate) database_servers: usize,
    pub(crate) routing: Routing,
}

/// How much of all that happens is each tenant's; the shares add up to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tenants {
    /// All the same.
    Equal { count: usize },
    /// The n-th as much as the first by n.
    Zipf { count: usize },
    /// One with so much, and others with the rest.
    OneBig { count: usize, share: f64 },
}

impl Tenants {
    #[expect(clippy::cast_precision_loss, reason = "there are few tenants")]
    pub(crate) fn shares(self) -> Vec<f64> {
        match self {
            Self::Equal { count } => vec![1.0 / count as f64; count],
            Self::Zipf { count } => {
                let all: f64 = (1..=count).map(|rank| 1.0 / rank as f64).sum();
                (1..=count).map(|rank| 1.0 / (rank as f64 * all)).collect()
            }
            Self::OneBig { count: 1, .. } => vec![1.0],
            Self::OneBig { count, share } => {
                let mut shares = vec![(1.0 - share) / (count - 1) as f64; count];
                shares[0] = share;
                shares
            }
        }
    }
}

/// What is carried, and what allows no more.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Carried {
    pub(crate) per_second: f64,
    pub(crate) bottleneck: Bottleneck,
}

/// Events per second that one ledger takes at most, from so many nodes at a time.
pub(crate) fn ledger_ceiling(costs: &Costs, writers: usize) -> f64 {
    let batch = costs.get("batch_events");
    batch / batch_seconds(costs, writers, batch)
}

/// How long a batch holds its ledger. A node that is not alone looks before it decides, and reads what the others have
/// appended since its last turn.
#[expect(clippy::cast_precision_loss, reason = "there are few nodes")]
pub(crate) fn batch_seconds(costs: &Costs, writers: usize, events: f64) -> f64 {
    let alone = costs.get("commit_seconds") + events * costs.get("event_seconds");
    if writers < 2 {
        return alone;
    }
    let others = (writers - 1) as f64;
    alone
        + costs.get("shared_round_trips") * costs.get("round_trip_seconds")
        + others * events * costs.get("followed_event_seconds")
}

/// Events per second that a cluster carries of tenants with these shares.
#[expect(clippy::cast_precision_loss, reason = "there are few nodes")]
pub(crate) fn events(costs: &Costs, cluster: Cluster, shares: &[f64]) -> Carried {
    let usable = costs.get("utilization");
    let largest = shares.iter().copied().fold(0.0, f64::max);
    let writers = match cluster.routing {
        Routing::Spread => cluster.nodes,
        Routing::Sticky => 1,
    };
    let busiest_node = match cluster.routing {
        Routing::Spread => 1.0 / cluster.nodes as f64,
        Routing::Sticky => busiest(shares, cluster.nodes),
    };
    let servers = dealt(shares, cluster.database_servers);
    let busiest_server = servers
        .iter()
        .map(|shares| shares.iter().sum())
        .fold(0.0, f64::max);
    let link = costs.get("link_bytes_per_second");
    let limits = [
        (
            Bottleneck::LedgerLock,
            usable * ledger_ceiling(costs, writers) / largest,
        ),
        (
            Bottleneck::NodeCpu,
            usable * costs.get("node_cores") / costs.get("event_cpu_seconds") / busiest_node,
        ),
        (
            Bottleneck::DatabaseCommit,
            most(|rate| {
                let limit = usable * costs.get("database_commits_per_second");
                servers.iter().all(|shares| commits(costs, shares, rate) <= limit)
            }),
        ),
        (
            Bottleneck::DatabaseCpu,
            most(|rate| {
                let limit = usable * costs.get("database_cores");
                servers.iter().all(|shares| {
                    let events = rate * shares.iter().sum::<f64>();
                    commits(costs, shares, rate) * costs.get("database_commit_cpu_seconds")
                        + events * costs.get("database_event_cpu_seconds")
                        <= limit
                })
            }),
        ),
        (
            Bottleneck::Network,
            (usable * link / costs.get("event_bytes") / busiest_node)
                .min(usable * link / costs.get("database_event_bytes") / busiest_server),
        ),
    ];
    least(&limits)
}

/// Validations per second that so many nodes carry: out of memory, without the database.
#[expect(clippy::cast_precision_loss, reason = "there are few nodes")]
pub(crate) fn validations(costs: &Costs, nodes: usize) -> Carried {
    let usable = costs.get("utilization") * nodes as f64;
    least(&[
        (
            Bottleneck::NodeCpu,
            usable * costs.get("node_cores") / costs.get("validate_cpu_seconds"),
        ),
        (
            Bottleneck::Network,
            usable * costs.get("link_bytes_per_second") / costs.get("validate_bytes"),
        ),
    ])
}

/// Commits per second that a database server needs for these tenants: one per event while they are few, else one per
/// tenant as often as nobody loses patience.
fn commits(costs: &Costs, shares: &[f64], rate: f64) -> f64 {
    let patient = 1.0 / costs.get("patience_seconds");
    shares.iter().map(|share| (share * rate).min(patient)).sum()
}

/// The highest rate that is possible where every lower one is; a billion stands for any.
fn most(is_possible: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    if is_possible(high) {
        return f64::INFINITY;
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if is_possible(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn least(limits: &[(Bottleneck, f64)]) -> Carried {
    let (bottleneck, per_second) = limits
        .iter()
        .copied()
        .min_by(|one, other| one.1.total_cmp(&other.1))
        .expect("there are limits");
    Carried {
        per_second,
        bottleneck,
    }
}

/// Shares dealt to so many servers, the largest first, each to the one that has least.
fn dealt(shares: &[f64], servers: usize) -> Vec<Vec<f64>> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(|one, other| other.total_cmp(one));
    let mut hands = vec![vec![]; servers];
    let mut sums = vec![0.0_f64; servers];
    for share in sorted {
        let at = (0..servers)
            .min_by(|one, other| sums[*one].total_cmp(&sums[*other]))
            .expect("there is a server");
        hands[at].push(share);
        sums[at] += share;
    }
    hands
}

/// The largest sum when shares are dealt to at most so many servers: one more never makes it larger.
fn busiest(shares: &[f64], servers: usize) -> f64 {
    (1..=servers)
        .map(|servers| {
            let hands = dealt(shares, servers);
            hands.iter().map(|hand| hand.iter().sum()).fold(0.0, f64::max)
        })
        .fold(f64::INFINITY, f64::min)
}
