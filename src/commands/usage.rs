//! Recording of usage.

use serde_json::{Map, Value};
use vinzy_events::entitlement::{base_features, usage_limits};
use vinzy_events::license::{License, LicenseError};
use vinzy_events::meter::{LimitStanding, Meter, MeterCommand, MeterEvent, RecordUsage, meter_id, tightest};
use vinzy_events::product::Product;
use vinzy_events::{Decimal, LicenseId, ProductId};

use super::{CommandError, Order, Outcome};
use crate::app::App;
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// Use to be counted.
#[derive(Debug, Clone)]
pub struct NewUsage {
    /// Of what.
    pub metric: String,
    /// How much; more than nothing.
    pub value: Decimal,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
}

/// Use that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// How much.
    pub value: Decimal,
    /// How much in all, with this.
    pub total: Decimal,
    /// The limit that applied, with what was used of it.
    pub limit: Option<LimitStanding>,
}

/// Counts use under a license, within its limits. The same order again gives the first result.
///
/// `product_id` is the license's product, which never changes.
///
/// # Errors
/// [`MeterError::LimitExceeded`](vinzy_events::meter::MeterError), or why the license is not in force.
pub async fn record(
    app: &App,
    order: Order,
    license_id: LicenseId,
    product_id: ProductId,
    usage: NewUsage,
) -> Result<Recorded, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let operation = Record {
        license_id,
        product_id,
        meter_id: meter_id(license_id, &usage.metric),
        usage,
    };
    match order.execute(app, operation).await? {
        Outcome::Done(recorded) => Ok(recorded),
        Outcome::Replayed(point) => {
            let event = app.ledgers.store(&ledger_id).event::<Meter>(&point).await?;
            let MeterEvent::Recorded(event) = event else {
                return Err(CommandError::Ledger(LedgerError::Unreadable));
            };
            Ok(Recorded {
                value: event.value,
                total: event.total,
                limit: event.limit,
            })
        }
    }
}

/// Reads license and product, writes the meter: all three as they are under the ledger's lock, so that
/// neither a suspension nor a new limit can come between.
#[derive(Clone)]
struct Record {
    license_id: LicenseId,
    product_id: ProductId,
    meter_id: String,
    usage: NewUsage,
}

impl Operation for Record {
    type Output = Recorded;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.license_id);
        needs.stream::<Product>(self.product_id);
        needs.stream::<Meter>(&self.meter_id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Recorded, CommandError> {
        let at = attempt.at();
        let license = attempt.aggregate::<License>(self.license_id).aggregate;
        let state = license.in_force(at)?;
        let product = attempt.aggregate::<Product>(self.product_id).aggregate;
        // A product that was deleted after all keeps its last features.
        let product = product.state().ok_or(LicenseError::NotFound)?;
        let base = base_features(&state.features, &product.features);
        let limits = usage_limits(base, &state.entitlements, &self.usage.metric);
        let value = self.usage.value.clone();
        let command = MeterCommand::Record(Box::new(RecordUsage {
            license_id: self.license_id,
            metric: self.usage.metric,
            value: self.usage.value,
            metadata: self.usage.metadata,
            limits: limits.clone(),
        }));
        let meter = attempt.decide::<Meter>(&self.meter_id, command)?.aggregate;
        Ok(Recorded {
            value,
            total: meter.total().clone(),
            limit: tightest(&limits, |period| meter.used(period, at)),
        })
    }
}
