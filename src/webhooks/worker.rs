//! Sends: one loop per node that claims what is due, lets it be sent side by side, and writes down what came of it.
//!
//! So many at a time per endpoint, so that a slow one does not delay the others, and so many in all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;
use vinzy_events::ledger::Actor;
use vinzy_projections::{Follower, endpoints};

use super::claim::{self, Claimed, Recipient, Room};
use super::connector::Connector;
use super::record::{Failing, Fate, record};
use super::schedule::Schedule;
use super::send::{Tried, send};
use super::{lease, sweep};
use crate::clock::{Clock, Entropy};
use crate::commands::{self, Context, ReceiptSlot};
use crate::database::within;
use crate::distribution::Layout;
use crate::keys::MasterKeys;
use crate::ledger::Ledgers;
use crate::metrics::WebhookMetrics;

/// Name of whoever disables endpoints, in the ledger.
const NAME: &str = "webhooks";
/// Deliveries under way to one endpoint, on this node.
const PER_ENDPOINT: usize = 8;
/// Deliveries under way in all, on this node.
const TOTAL: usize = 512;
/// How often it is looked for what is due.
const POLL: Duration = Duration::from_millis(200);
/// How long the database may take for a claim, or for noting what came of tries.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the database fails.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a claim may take to come into force when nobody waits for it any more: the database ends a session that is
/// silent sooner.
const DOUBT: Duration = Duration::from_secs(30);
/// How long a stop waits for what is under way.
const GRACE: Duration = Duration::from_secs(5);
/// How long the read model may take to show that an endpoint is disabled.
const PATIENCE: Duration = Duration::from_secs(2);

/// What sends.
pub struct Webhooks {
    /// For claims and results.
    pub pool: PgPool,
    /// How its database is laid out.
    pub layout: Layout,
    /// For what must not wait: saying that this node is alive.
    pub vital: PgPool,
    /// Open secrets.
    pub masters: MasterKeys,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub entropy: Entropy,
    /// Where endpoints are disabled.
    pub ledgers: Arc<Ledgers>,
    /// Waits for the read model of endpoints.
    pub follower: Follower,
    /// The way out.
    pub connector: Connector,
    /// When to try again.
    pub schedule: Schedule,
    /// How long finished deliveries are kept, in days.
    pub retention_days: u32,
    /// What is counted.
    pub metrics: WebhookMetrics,
    /// Told when something is due just now.
    pub wake: Notify,
}

/// What is being sent.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Tried>,
    deliveries: HashMap<Id, (Uuid, Recipient)>,
    busy: HashMap<Recipient, usize>,
    /// Until when a claim may still come into force whose answer was not waited for.
    in_doubt_until: Option<Instant>,
}

impl UnderWay {
    fn begin(&mut self, delivery: (Uuid, Recipient), sending: impl Future<Output = Tried> + Send + 'static) {
        *self.busy.entry(delivery.1.clone()).or_default() += 1;
        let id = self.tasks.spawn(sending).id();
        self.deliveries.insert(id, delivery);
    }

    /// One that is done; nothing when none is under way.
    async fn next(&mut self) -> Option<Tried> {
        let done = self.tasks.join_next_with_id().await?;
        self.end(done)
    }

    /// What else is done by now.
    fn drain(&mut self, tries: &mut Vec<Tried>) {
        while let Some(done) = self.tasks.try_join_next_with_id() {
            tries.extend(self.end(done));
        }
    }

    fn end(&mut self, done: Result<(Id, Tried), JoinError>) -> Option<Tried> {
        let (id, tried) = match done {
            Ok((id, tried)) => (id, Some(tried)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a delivery was not sent"
                );
                (error.id(), None)
            }
        };
        if let Some((_, recipient)) = self.deliveries.remove(&id)
            && let Some(count) = self.busy.get_mut(&recipient)
        {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&recipient);
            }
        }
        tried
    }

    fn ids(&self) -> Vec<Uuid> {
        self.deliveries.values().map(|(id, _)| *id).collect()
    }
}

/// The loop of a node, which runs until it is stopped.
pub struct Sending {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sending {
    /// Ends it. What is under way then gets some seconds; the rest is given back.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "webhooks did not end in order"
            );
        }
    }
}

impl Webhooks {
    /// Starts to send.
    pub fn start(self) -> (Arc<Self>, Sending) {
        let webhooks = Arc::new(self);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&webhooks).run(stopped));
        (webhooks, Sending { stop, task })
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let worker_id = Uuid::from_bytes(self.entropy.bytes());
        let (end, ended) = watch::channel(false);
        let mut beside = JoinSet::new();
        while let Err(error) = within(DATABASE_PATIENCE, lease::beat(&self.vital, worker_id)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "webhooks are not sent yet"
            );
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stopped.changed() => return,
            }
        }
        beside.spawn(lease::keep(self.vital.clone(), worker_id, ended.clone()));
        beside.spawn(sweep::run(Arc::clone(&self), ended));
        let mut under_way = UnderWay::default();
        while !*stopped.borrow() {
            self.turn(worker_id, &mut under_way, &mut stopped).await;
        }
        self.wind_up(worker_id, under_way).await;
        end.send_replace(true);
        while beside.join_next().await.is_some() {}
        if let Err(error) = within(DATABASE_PATIENCE, lease::leave(&self.pool, worker_id)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "others will wait for this node"
            );
        }
    }

    async fn turn(&self, worker_id: Uuid, under_way: &mut UnderWay, stopped: &mut watch::Receiver<bool>) {
        let woken = self.wake.notified();
        self.take(worker_id, under_way).await;
        let mut tries = vec![];
        tokio::select! {
            done = under_way.next(), if !under_way.tasks.is_empty() => tries.extend(done),
            () = woken => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopped.changed() => {}
        }
        under_way.drain(&mut tries);
        self.settle(worker_id, tries, stopped).await;
    }

    /// Claims what is due, and begins to send it.
    async fn take(&self, worker_id: Uuid, under_way: &mut UnderWay) {
        if under_way.in_doubt_until.is_some() && !self.settle_doubt(worker_id, under_way).await {
            return;
        }
        let room = Room {
            total: TOTAL.saturating_sub(under_way.tasks.len()),
            per_endpoint: PER_ENDPOINT,
            busy: &under_way.busy,
        };
        if room.total == 0 {
            return;
        }
        let now = self.clock.now();
        let claiming = claim::claim((&self.pool, self.layout), &self.masters, worker_id, now, &room);
        match within(DATABASE_PATIENCE, claiming).await {
            Ok(claimed) => claimed
                .into_iter()
                .for_each(|claimed| self.begin(claimed, under_way)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no deliveries can be claimed"
                );
                tokio::time::sleep(PAUSE).await;
                // Whether the claim was made, or will be, is not known.
                under_way.in_doubt_until = Some(Instant::now() + DOUBT);
            }
        }
    }

    /// Gives back what was claimed and is not being sent. Whether that could be done.
    async fn settle_doubt(&self, worker_id: Uuid, under_way: &mut UnderWay) -> bool {
        let sending = under_way.ids();
        let giving_back = lease::give_back(&self.pool, worker_id, &sending);
        if let Err(error) = within(DATABASE_PATIENCE, giving_back).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "deliveries cannot be given back"
            );
            return false;
        }
        under_way.in_doubt_until = under_way.in_doubt_until.filter(|until| Instant::now() < *until);
        true
    }

    fn begin(&self, claimed: Claimed, under_way: &mut UnderWay) {
        let (connector, now) = (self.connector.clone(), self.clock.now());
        let delivery = (claimed.delivery_id.as_uuid(), claimed.recipient());
        under_way.begin(delivery, async move { send(&connector, claimed, now).await });
    }

    /// Writes down what came of tries, however long the database takes, unless this node stops.
    async fn settle(&self, worker_id: Uuid, tries: Vec<Tried>, stopped: &watch::Receiver<bool>) {
        if tries.is_empty() {
            return;
        }
        let now = self.clock.now();
        let fates: Vec<Fate> = tries.iter().map(|tried| self.fate(tried)).collect();
        let tries: Vec<(Tried, Fate)> = tries.into_iter().zip(fates).collect();
        loop {
            match within(
                DATABASE_PATIENCE,
                record((&self.pool, self.layout), worker_id, now, &tries),
            )
            .await
            {
                Ok(failing) => {
                    tries.iter().for_each(|(tried, fate)| self.count(tried, *fate));
                    return self.disable(failing).await;
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what came of deliveries cannot be noted"
                ),
            }
            tokio::time::sleep(PAUSE).await;
            if *stopped.borrow() {
                // Others will send them again.
                return;
            }
        }
    }

    fn fate(&self, tried: &Tried) -> Fate {
        if tried.error.is_none() {
            return Fate::Delivered;
        }
        let chance = f64::from(u32::from_be_bytes(self.entropy.bytes())) / f64::from(u32::MAX);
        let Claimed {
            attempts,
            max_retries,
            ..
        } = tried.claimed;
        let pause = self
            .schedule
            .pause(attempts.saturating_add(1), max_retries, tried.retry_after, chance);
        let pause = pause.and_then(|pause| TimeDelta::from_std(pause).ok());
        pause.map_or(Fate::GivenUp, |pause| {
            Fate::Again(self.clock.now().to_chrono() + pause)
        })
    }

    fn count(&self, tried: &Tried, fate: Fate) {
        let outcome = match fate {
            Fate::Delivered => "delivered",
            Fate::Again(_) => "retried",
            Fate::GivenUp => "given_up",
        };
        self.metrics.tried(outcome, tried.took);
    }

    /// Disables endpoints, and waits until no node claims for them any more.
    async fn disable(&self, failing: Vec<Failing>) {
        for Failing {
            ledger_id,
            endpoint_id,
            reason,
        } in failing
        {
            let context = Context {
                actor: Actor {
                    id: NAME.into(),
                    kind: "system".into(),
                    name: None,
                    via: "server".into(),
                },
                correlation_id: None,
                causation_id: None,
                receipt: ReceiptSlot::default(),
            };
            let disabled =
                commands::endpoints::disable(&self.ledgers, &ledger_id, context, endpoint_id, reason).await;
            if let Err(error) = disabled {
                tracing::warn!(%endpoint_id, error = &error as &dyn std::error::Error, "will be disabled later");
                continue;
            }
            if let Err(error) = self.follower.wait(endpoints::NAME, &ledger_id, PATIENCE).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "endpoints are behind");
            }
        }
    }

    /// Lets what is under way come to its end for a while, and gives back the rest.
    async fn wind_up(&self, worker_id: Uuid, mut under_way: UnderWay) {
        let (deadline, stopped) = (Instant::now() + GRACE, watch::channel(true).1);
        while !under_way.tasks.is_empty() {
            let Ok(done) = timeout_at(deadline, under_way.next()).await else {
                break;
            };
            let mut tries: Vec<Tried> = done.into_iter().collect();
            under_way.drain(&mut tries);
            self.settle(worker_id, tries, &stopped).await;
        }
        under_way.tasks.shutdown().await;
        let giving_back = lease::give_back(&self.pool, worker_id, &[]);
        if let Err(error) = within(DATABASE_PATIENCE, giving_back).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "deliveries are given back later"
            );
        }
    }
}
