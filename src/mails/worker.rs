//! Sends what is due: one loop per node, a few mails side by side.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use vinzy_events::license::License;
use vinzy_events::product::Product;
use vinzy_events::{LicenseId, MailId, Timestamp};

use super::outbox::{self, Claimed, Fate, Mail, ResendError};
use super::sender::{self, MailConfigError, SendError, Sender};
use super::template::{Rendered, Subject, Template};
use crate::clock::{Clock, Entropy};
use crate::config::ProvisioningConfig;
use crate::database::within;
use crate::ledger::Ledgers;
use crate::metrics::MailMetrics;
use crate::personal_data::store::PersonalDataStore;
use crate::webhooks::schedule::Schedule;

/// What the outbox says of mails that nobody sends.
const NO_SERVER: &str = "no mail server is configured";
/// How often it is looked for what is due.
const POLL: Duration = Duration::from_millis(500);
/// Mails of one ledger that are sent side by side.
const AT_A_TIME: i64 = 8;
/// How long a mail may take, with all that the mail server is asked.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a claim holds: longer than a mail may take, or two nodes would send it.
const CLAIM_SECONDS: u32 = 120;
/// How long the database may take.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the database fails.
const PAUSE: Duration = Duration::from_secs(1);

/// What sends mails.
pub struct Mails {
    pool: PgPool,
    personal_data: PersonalDataStore,
    ledgers: Arc<Ledgers>,
    clock: Clock,
    entropy: Entropy,
    sender: Option<Sender>,
    template: Template,
    schedule: Schedule,
    metrics: MailMetrics,
    wake: Notify,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The mail server has not taken it.
    #[error(transparent)]
    Sending(#[from] SendError),
    /// What it is made of is gone, for good.
    #[error("{0}")]
    Gone(&'static str),
    /// What it is made of cannot be read at the moment.
    #[error("what the mail is made of cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unreadable(Box::new(error))
    }

    fn is_final(&self) -> bool {
        match self {
            Self::Sending(error) => error.is_final(),
            Self::Gone(_) => true,
            Self::Unreadable(_) => false,
        }
    }
}

/// The loop of a node, which runs until it is stopped.
pub struct Sending {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sending {
    /// Ends it, with what is under way.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "mails did not end in order"
            );
        }
    }
}

/// What mails are sent with.
pub struct Means {
    /// The database.
    pub pool: PgPool,
    /// Opens addresses and keys.
    pub personal_data: PersonalDataStore,
    /// Where licenses and products are read.
    pub ledgers: Arc<Ledgers>,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub entropy: Entropy,
    /// What is counted.
    pub metrics: MailMetrics,
}

impl Mails {
    /// What `config` says; reads the template that it names.
    pub fn try_new(config: &ProvisioningConfig, means: Means) -> Result<Self, MailConfigError> {
        let Means {
            pool,
            personal_data,
            ledgers,
            clock,
            entropy,
            metrics,
        } = means;
        Ok(Self {
            pool,
            personal_data,
            ledgers,
            clock,
            entropy,
            sender: Sender::try_new(config)?,
            template: sender::template(config)?,
            schedule: config.mail_retry_schedule.clone(),
            metrics,
            wake: Notify::new(),
        })
    }

    /// Starts to send.
    pub fn start(self) -> (Arc<Self>, Sending) {
        let mails = Arc::new(self);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&mails).run(stopped));
        (mails, Sending { stop, task })
    }

    /// What keeps mails from being sent, if anything does.
    pub fn held_back(&self) -> Option<&'static str> {
        self.sender.is_none().then_some(NO_SERVER)
    }

    /// Something is due just now: the mail with a license's key.
    pub fn wake(&self, license_id: Option<LicenseId>) {
        if let (None, Some(license_id)) = (&self.sender, license_id) {
            tracing::warn!(%license_id, "the key of a license is undelivered: {NO_SERVER}");
            self.metrics.tried("given_up");
        }
        self.wake.notify_one();
    }

    /// Has a mail sent at once, whatever became of it before, to the address that the customer has now.
    pub async fn resend(&self, ledger_id: &str, id: MailId) -> Result<Mail, ResendError> {
        if self.sender.is_none() {
            // What is not there, or no longer, is told all the same.
            return match outbox::get(&self.pool, ledger_id, id).await? {
                None => Err(ResendError::NotFound),
                Some(mail) if mail.status == outbox::MailStatus::Delivered => Err(ResendError::Delivered),
                Some(_) => Err(ResendError::NoServer),
            };
        }
        outbox::resend(&self.pool, ledger_id, id, self.clock.now()).await?;
        let mail = outbox::get(&self.pool, ledger_id, id).await?;
        self.wake.notify_one();
        mail.ok_or(ResendError::NotFound)
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let Some(sender) = self.sender.clone() else {
            return;
        };
        while !*stopped.borrow() {
            let woken = self.wake.notified();
            if let Err(error) = self.turn(&sender, &stopped).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "mails cannot be claimed"
                );
                tokio::time::sleep(PAUSE).await;
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stopped.changed() => {}
            }
        }
    }

    /// Sends what is due in every ledger.
    async fn turn(self: &Arc<Self>, sender: &Sender, stopped: &watch::Receiver<bool>) -> sqlx::Result<()> {
        let now = self.clock.now();
        let mut under_way = JoinSet::new();
        for ledger_id in within(DATABASE_PATIENCE, outbox::waiting(&self.pool, now)).await? {
            let now = self.clock.now();
            let until = now.plus_seconds(CLAIM_SECONDS).unwrap_or(now);
            let claiming = outbox::claim(&self.pool, &ledger_id, now, until, AT_A_TIME);
            for claimed in within(DATABASE_PATIENCE, claiming).await? {
                let (mails, sender, stopped) = (Arc::clone(self), sender.clone(), stopped.clone());
                under_way.spawn(async move { mails.deliver(&sender, claimed, stopped).await });
            }
        }
        while let Some(done) = under_way.join_next().await {
            if let Err(error) = done {
                tracing::error!(error = &error as &dyn std::error::Error, "a mail was not sent");
            }
        }
        Ok(())
    }

    async fn deliver(&self, sender: &Sender, claimed: Claimed, mut stopped: watch::Receiver<bool>) {
        let license_id = claimed.license_id;
        let ended = async {
            // A mail server that is slow must not keep the program from ending.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let sent = tokio::select! {
            sent = timeout(PATIENCE, self.send(sender, &claimed)) => Some(sent),
            () = ended => None,
        };
        let slow = || Failure::Sending(SendError::Unreachable("the mail server does not answer"));
        let failure = match sent {
            None => {
                let now = self.clock.now();
                return self.record(&claimed, &Fate::GivenBack, None, now).await;
            }
            Some(Ok(Ok(()))) => None,
            Some(Ok(Err(failure))) => Some(failure),
            Some(Err(_)) => Some(slow()),
        };
        let now = self.clock.now();
        let fate = match &failure {
            None => Fate::Delivered,
            Some(failure) => self.fate(failure, claimed.attempts, now),
        };
        if let Some(failure) = &failure {
            let error = failure as &dyn std::error::Error;
            if fate == Fate::GivenUp {
                tracing::warn!(%license_id, error, "the key of a license is undelivered");
            } else {
                tracing::info!(%license_id, error, "the key of a license is mailed later");
            }
        }
        self.metrics.tried(match fate {
            Fate::Delivered => "delivered",
            Fate::GivenUp => "given_up",
            Fate::Again(_) | Fate::GivenBack => "retried",
        });
        let error = failure.map(|failure| failure.to_string());
        self.record(&claimed, &fate, error.as_deref(), now).await;
    }

    fn fate(&self, failure: &Failure, attempts: u32, now: Timestamp) -> Fate {
        if failure.is_final() {
            return Fate::GivenUp;
        }
        let chance = f64::from(u32::from_be_bytes(self.entropy.bytes())) / f64::from(u32::MAX);
        let pause = self.schedule.pause(attempts, None, None, chance);
        let pause = pause.and_then(|pause| TimeDelta::from_std(pause).ok());
        pause.map_or(Fate::GivenUp, |pause| {
            Fate::Again(Timestamp::from_chrono(now.to_chrono() + pause))
        })
    }

    /// What cannot be written down is found out when the claim ends, and sent again.
    async fn record(&self, claimed: &Claimed, fate: &Fate, error: Option<&str>, now: Timestamp) {
        let recording = outbox::record(&self.pool, claimed, fate, error, now);
        if let Err(error) = within(DATABASE_PATIENCE, recording).await {
            tracing::warn!(
                license_id = %claimed.license_id,
                error = &error as &dyn std::error::Error,
                "what came of a mail cannot be noted: it is sent again"
            );
        }
    }

    async fn send(&self, sender: &Sender, claimed: &Claimed) -> Result<(), Failure> {
        let (to, content) = self.compose(claimed).await?;
        sender
            .send(claimed.mail_id, &to, content, self.clock.now())
            .await?;
        Ok(())
    }

    /// The address that the customer has now, and what the mail says.
    async fn compose(&self, claimed: &Claimed) -> Result<(String, Rendered), Failure> {
        let (ledger_id, customer_id) = (claimed.ledger_id.as_str(), claimed.customer_id);
        let data_key = self
            .personal_data
            .data_key_with_id(ledger_id, customer_id, &claimed.key_id)
            .await
            .map_err(Failure::unreadable)?
            .ok_or(Failure::Gone("the customer was erased"))?;
        let place = super::place(ledger_id, claimed.mail_id);
        let key = data_key
            .decrypt_beside(&place, &claimed.ciphertext)
            .map_err(Failure::unreadable)?;
        let key = String::from_utf8(key).map_err(|_| Failure::Gone("the license key cannot be read"))?;
        let names = self.personal_data.names(ledger_id, &[customer_id]).await;
        let customer = names
            .map_err(Failure::unreadable)?
            .remove(&customer_id)
            .ok_or(Failure::Gone("the customer was erased"))?;
        let store = self.ledgers.store(ledger_id);
        let license = store.load::<License>(&claimed.license_id.to_string()).await;
        let license = license.map_err(Failure::unreadable)?.aggregate;
        let license = license.live().ok_or(Failure::Gone("the license was deleted"))?;
        let product = store.load::<Product>(&license.product_id.to_string()).await;
        let product = product.map_err(Failure::unreadable)?.aggregate;
        let code = license.product_code.as_str();
        let expires = match license.expires_at {
            Some(expiry) => format!("until {}", expiry.to_chrono().format("%Y-%m-%d")),
            None => "without an end".to_owned(),
        };
        let content = self.template.render(&Subject {
            key: &key,
            product: product.state().map_or(code, |product| product.name.as_str()),
            tier: &license.tier,
            name: &customer.name,
            expires,
            license_id: claimed.license_id.to_string(),
        });
        Ok((customer.email, content))
    }
}
