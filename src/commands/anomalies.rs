//! Commands to anomalies.

use vinzy_events::anomaly::{
    Anomaly, AnomalyCommand, AnomalyDetected, AnomalyError, AnomalyState, stream_id,
};
use vinzy_events::{AnomalyId, LicenseId};

use super::{CommandError, Order, Outcome};
use crate::app::App;
use crate::ledger::{Attempt, Context, Ledgers, Needs, Operation};

/// Notes that somebody has dealt with an anomaly; one that was dealt with already stays as it is.
pub async fn resolve(
    app: &App,
    order: Order,
    license_id: LicenseId,
    anomaly_id: AnomalyId,
    resolved_by: String,
) -> Result<AnomalyState, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let operation = Change {
        stream_id: stream_id(license_id, anomaly_id),
        command: AnomalyCommand::Resolve { resolved_by },
    };
    let anomaly = match order.execute(app, operation).await? {
        Outcome::Done(anomaly) => anomaly,
        Outcome::Replayed(point) => {
            app.ledgers
                .store(&ledger_id)
                .load_as_of::<Anomaly>(&point)
                .await?
        }
    };
    anomaly
        .state()
        .cloned()
        .ok_or(CommandError::Anomaly(AnomalyError::NotFound))
}

/// Notes an anomaly, once: one that was noted before stays as it is.
pub async fn detect(
    ledgers: &Ledgers,
    ledger_id: &str,
    context: Context,
    detected: AnomalyDetected,
) -> Result<(), CommandError> {
    let operation = Change {
        stream_id: stream_id(detected.license_id, detected.anomaly_id),
        command: AnomalyCommand::Detect(Box::new(detected)),
    };
    match ledgers.execute(ledger_id, operation, context, None).await {
        Ok(_) | Err(CommandError::Anomaly(AnomalyError::AlreadyDetected)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[derive(Clone)]
struct Change {
    stream_id: String,
    command: AnomalyCommand,
}

impl Operation for Change {
    type Output = Anomaly;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Anomaly>(&self.stream_id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Anomaly, CommandError> {
        Ok(attempt
            .decide::<Anomaly>(&self.stream_id, self.command)?
            .aggregate)
    }
}
