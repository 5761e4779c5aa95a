//! What was true at an earlier moment, out of the ledger: streams are folded as far as they had come. Read models know
//! only the present.

use std::collections::BTreeMap;
use std::str::FromStr;

use vinzy_events::meter::{Counted, Meter, MeterEvent, metric_of};
use vinzy_events::stream::StreamAggregate;
use vinzy_events::{LicenseId, Timestamp};
use vinzy_projections::event_log::{self, LicenseStreams};
use vinzy_projections::usage::UsageTotal;

use crate::app::App;
use crate::commands::CommandError;
use crate::ledger::LedgerError;

/// Events read at a time.
const PAGE: u32 = 2_000;

/// The moment that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Right after the event at a position.
    Position(u64),
    /// At a time.
    Time(Timestamp),
}

impl FromStr for Asked {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        let position = text.parse::<i64>().ok().and_then(|at| u64::try_from(at).ok());
        position.map(Self::Position).ok_or(())
    }
}

/// A moment in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The last event that counts.
    pub position: u64,
    /// What time it was: what had expired by then had.
    pub at: Timestamp,
}

/// Why there is no such moment.
#[derive(Debug, thiserror::Error)]
pub enum NoMoment {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The position is not in the ledger yet.
    #[error("must be less than {size}, the number of events in the ledger")]
    Beyond {
        /// The ledger's size.
        size: u64,
    },
    /// The time has not come.
    #[error("must not be in the future")]
    Future,
    /// The ledger was opened later.
    #[error("lies before the ledger's first event")]
    TooEarly,
}

/// Finds a moment.
pub async fn moment(app: &App, ledger_id: &str, asked: Asked) -> Result<Moment, NoMoment> {
    let mut conn = app.pool.acquire().await?;
    match asked {
        Asked::Position(position) => {
            let at = event_log::recorded_at(&mut conn, ledger_id, position).await?;
            if let Some(at) = at {
                return Ok(Moment { position, at });
            }
            let size = event_log::size(&mut conn, ledger_id).await?;
            Err(NoMoment::Beyond { size })
        }
        Asked::Time(at) if at > app.clock.now() => Err(NoMoment::Future),
        Asked::Time(at) => {
            let count = event_log::recorded_until(&mut conn, ledger_id, at).await?;
            let position = count.checked_sub(1).ok_or(NoMoment::TooEarly)?;
            Ok(Moment { position, at })
        }
    }
}

/// An aggregate as it was.
pub async fn aggregate<A: StreamAggregate>(
    app: &App,
    ledger_id: &str,
    id: impl ToString,
    moment: Moment,
) -> Result<A, CommandError> {
    let id = id.to_string();
    let mut conn = app.pool.acquire().await?;
    let (mut aggregate, mut after) = (A::default(), 0);
    loop {
        let until = moment.position;
        let events = event_log::stream_until(&mut conn, ledger_id, A::TYPE, &id, after, until, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.stream_seq;
        for event in &events {
            let event = event.decode().map_err(LedgerError::from)?;
            aggregate.apply(event);
        }
    }
    Ok(aggregate)
}

/// What was used of a metric.
#[derive(Debug, Clone)]
pub struct Used {
    /// The meter.
    pub meter: Meter,
    /// The use in all.
    pub total: UsageTotal,
}

/// What a license had used, by metric. Takes as long as it has records until then, in flat memory.
pub async fn usage(
    app: &App,
    ledger_id: &str,
    license_id: LicenseId,
    moment: Moment,
) -> Result<BTreeMap<String, Used>, CommandError> {
    let mut conn = app.pool.acquire().await?;
    let mut used: BTreeMap<String, Used> = BTreeMap::new();
    let mut after = None;
    loop {
        let streams = LicenseStreams {
            ledger_id,
            license_id,
            stream_type: <Meter as cqrs_es::Aggregate>::TYPE,
            after,
            until: moment.position,
            limit: PAGE,
        };
        let events = event_log::license_events(&mut conn, streams).await?;
        let Some(last) = events.last() else { break };
        after = Some(last.position);
        for event in &events {
            let metric = metric_of(&event.stream_id).ok_or(LedgerError::Unreadable)?;
            let decoded: MeterEvent = event.decode().map_err(LedgerError::from)?;
            let at = Counted::from(decoded.clone()).recorded_at;
            let used = used
                .entry(metric.to_owned())
                .or_insert_with(|| Used::none(metric, at));
            used.total.first_recorded_at = used.total.first_recorded_at.min(at);
            used.total.last_recorded_at = used.total.last_recorded_at.max(at);
            used.meter.evolve(decoded);
            used.total.total = used.meter.total().clone();
            used.total.record_count = used.meter.record_count();
        }
    }
    Ok(used)
}

impl Used {
    fn none(metric: &str, at: Timestamp) -> Self {
        Self {
            meter: Meter::default(),
            total: UsageTotal {
                metric: metric.to_owned(),
                total: vinzy_events::Decimal::default(),
                record_count: 0,
                first_recorded_at: at,
                last_recorded_at: at,
            },
        }
    }
}
