//! What a purchase makes of its license.

use super::{Fact, Purchase, PurchaseState, PurchaseStatus};
use crate::Timestamp;
use crate::license::{License, LicenseCommand, Standing, UpdateLicense};

/// What is to be done to a license, and what the purchase notes of it.
#[derive(Debug, Default)]
pub struct Effects {
    /// Commands to the license.
    pub commands: Vec<LicenseCommand>,
    /// To be noted by the purchase.
    pub applied: Option<Fact>,
}

impl Purchase {
    /// When a license ends that is paid for again and again: some days after what was paid, so that a renewal that takes
    /// a while locks nobody out. `None` as long as nothing was told, and past the year 9999.
    pub fn expiry(&self, grace_days: u32) -> Option<Timestamp> {
        self.state()?.paid_until?.plus_days(grace_days)
    }

    /// What is to be done to its license so that this is as the purchase stands.
    ///
    /// What the vendor has decided stays: an expiry that was moved by hand is only ever extended, a license that was
    /// suspended by hand is not reinstated by a payment, and a revoked one is left alone.
    pub fn effects(&self, license: &License, grace_days: u32, at: Timestamp) -> Effects {
        let mut effects = Effects::default();
        let (Some(own), Some(state)) = (self.state(), license.live()) else {
            return effects;
        };
        let recurring = own.licensed.as_ref().is_some_and(|licensed| licensed.recurring);
        if state.standing == Standing::Revoked {
            return effects;
        }
        let target = self.expiry(grace_days).filter(|_| recurring);
        let target = target.filter(|target| {
            let as_left = state.expires_at == own.expires_at;
            let earlier = state.expires_at.is_some_and(|expiry| expiry < *target);
            own.expires_at != Some(*target) && (as_left || earlier)
        });
        if let Some(target) = target {
            effects.commands.push(end_at(target, at));
        }
        let paid = own.status() == PurchaseStatus::Active;
        let suspended = match (paid, own.suspended, state.standing) {
            (false, false, Standing::Active) => {
                effects.commands.push(LicenseCommand::Suspend {
                    reason: Some(reason(own)),
                });
                Some(true)
            }
            (true, true, standing) => {
                if standing == Standing::Suspended {
                    effects.commands.push(LicenseCommand::Reinstate {
                        reason: Some(reason(own)),
                    });
                }
                Some(false)
            }
            _ => None,
        };
        if target.is_some() || suspended.is_some() {
            effects.applied = Some(Fact::Applied {
                expires_at: target,
                suspended,
            });
        }
        effects
    }
}

/// A renewal lies in the future; what was heard of late may not.
fn end_at(target: Timestamp, at: Timestamp) -> LicenseCommand {
    if target > at {
        return LicenseCommand::Renew {
            expires_at: Some(target),
        };
    }
    LicenseCommand::Update(Box::new(UpdateLicense {
        expires_at: Some(Some(target)),
        ..UpdateLicense::default()
    }))
}

fn reason(state: &PurchaseState) -> String {
    let words = match state.status() {
        PurchaseStatus::Active => "paid",
        PurchaseStatus::Unpaid => "not paid",
        PurchaseStatus::Ended => "the subscription has ended",
        PurchaseStatus::Refunded => "refunded",
    };
    format!("{}: {words}", state.provider)
}
