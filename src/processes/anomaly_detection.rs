//! Looks at every recorded value beside those before it and notes what stands out.
//!
//! A cause that cannot be noted because the ledger is unavailable is tried again, with everything after it
//! waiting; an event that cannot be read parks the process.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::stream::{self, TryStreamExt};
use lru::LruCache;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use vinzy_events::anomaly::detection::{Finding, WINDOW, detect_in};
use vinzy_events::anomaly::{AnomalyDetected, anomaly_id};
use vinzy_events::ledger::Actor;
use vinzy_events::meter::{Counted, MeterEvent};
use vinzy_events::{Decimal, EventId};
use vinzy_projections::event_log::{DecodeError, events_before};
use vinzy_projections::projection::BoxFuture;
use vinzy_projections::{ApplyError, Projection, StoredEvent};

use crate::commands::anomalies;
use crate::ledger::{Context, Ledgers, ReceiptSlot};

/// Name of the process.
pub const NAME: &str = "anomaly_detection";

/// Meters whose windows are kept.
const METERS: usize = 10_000;
/// Findings that wait for the ledger at a time: about one batch.
const PARALLEL: usize = 256;
/// What every finding is called, whichever side it stands out on: older clients know this name.
const USAGE_SPIKE: &str = "usage_spike";

/// The process.
pub struct AnomalyDetection {
    ledgers: Arc<Ledgers>,
    windows: Mutex<LruCache<(String, String), Window>>,
}

/// The last values of a meter.
#[derive(Default)]
struct Window {
    values: VecDeque<f64>,
    /// Number of the last event that is contained.
    seq: u64,
}

impl Window {
    fn push(&mut self, value: f64, seq: u64) {
        if self.values.len() == WINDOW {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.seq = seq;
    }
}

impl AnomalyDetection {
    /// A process that notes what it finds through `ledgers`.
    pub fn new(ledgers: Arc<Ledgers>) -> Self {
        Self {
            ledgers,
            windows: Mutex::new(LruCache::unbounded()),
        }
    }

    /// Windows that are not at hand, or not as of the event before, are read again: this node may have
    /// just started, or another one may have done the work meanwhile.
    async fn complete_windows(
        windows: &mut LruCache<(String, String), Window>,
        conn: &mut PgConnection,
        ledger_id: &str,
        events: &[StoredEvent],
    ) -> Result<(), ApplyError> {
        let mut first: HashMap<&str, u64> = HashMap::new();
        for event in events {
            first.entry(&event.stream_id).or_insert(event.stream_seq);
        }
        let mut wanted = vec![];
        for (stream_id, seq) in first {
            let key = (ledger_id.to_owned(), stream_id.to_owned());
            if windows.get(&key).is_none_or(|window| window.seq + 1 != seq) {
                windows.put(key, Window::default());
                wanted.push((stream_id, seq));
            }
        }
        wanted.retain(|(_, seq)| *seq > 1);
        if wanted.is_empty() {
            return Ok(());
        }
        let count = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        for event in events_before(conn, ledger_id, "meter", &wanted, count).await? {
            let usage = counted(&event)?;
            let key = (ledger_id.to_owned(), event.stream_id);
            windows
                .get_or_insert_mut(key, Window::default)
                .push(usage.value.to_f64(), event.stream_seq);
        }
        Ok(())
    }

    async fn note(&self, ledger_id: &str, found: Found<'_>) -> Result<(), ApplyError> {
        let Found {
            cause,
            usage,
            finding,
        } = found;
        let leaf = cause.parse_leaf().map_err(|error| poison(cause, error.into()))?;
        let cause_id = EventId::from(cause.event_id);
        let detected = AnomalyDetected {
            anomaly_id: anomaly_id(cause_id, usage.recorded_at),
            license_id: usage.license_id,
            anomaly_type: USAGE_SPIKE.to_owned(),
            severity: finding.severity,
            metric: usage.metric,
            observed_value: usage.value,
            baseline_mean: figure(finding.baseline.mean),
            baseline_stddev: figure(finding.baseline.stddev),
            z_score: figure(finding.z_score),
            usage_event_id: cause_id,
            detected_at: usage.recorded_at,
        };
        let context = Context {
            actor: Actor {
                id: NAME.into(),
                kind: "system".into(),
                name: None,
                via: "server".into(),
            },
            correlation_id: leaf.meta.correlation_id,
            causation_id: Some(cause_id.to_string()),
            receipt: ReceiptSlot::default(),
        };
        anomalies::detect(&self.ledgers, ledger_id, context, detected)
            .await
            .map_err(|error| ApplyError::Later(Box::new(error)))
    }
}

/// A value that stands out, with its cause.
struct Found<'a> {
    cause: &'a StoredEvent,
    usage: Counted,
    finding: Finding,
}

impl Projection for AnomalyDetection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &["meter"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            let mut windows = self.windows.lock().await;
            Self::complete_windows(&mut windows, conn, ledger_id, events).await?;
            let mut found = vec![];
            for event in events {
                let usage = counted(event)?;
                let value = usage.value.to_f64();
                let key = (ledger_id.to_owned(), event.stream_id.clone());
                let window = windows.get_or_insert_mut(key, Window::default);
                // What was imported was judged where it came from. It is what later values are compared with.
                if !usage.imported
                    && let Some(finding) = detect_in(window.values.make_contiguous(), value)
                {
                    found.push(Found {
                        cause: event,
                        usage,
                        finding,
                    });
                }
                window.push(value, event.stream_seq);
            }
            while windows.len() > METERS {
                windows.pop_lru();
            }
            stream::iter(found.into_iter().map(Ok))
                .try_for_each_concurrent(PARALLEL, |found| self.note(ledger_id, found))
                .await?;
            Ok(events.len())
        })
    }
}

fn counted(stored: &StoredEvent) -> Result<Counted, ApplyError> {
    let event: MeterEvent = stored.decode().map_err(|error| poison(stored, error))?;
    Ok(event.into())
}

fn poison(event: &StoredEvent, source: DecodeError) -> ApplyError {
    ApplyError::Poison {
        position: event.position,
        source,
    }
}

/// Figures of a finding are finite.
fn figure(double: f64) -> Decimal {
    Decimal::from_f64(double).unwrap_or_default()
}
