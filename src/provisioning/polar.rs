//! What Polar's events tell.

use serde_json::Value;
use vinzy_events::Timestamp;
use vinzy_events::purchase::{Provider, Reference, Standing};

use super::{Unusable, address, at, bought, checkout, reference, text, time};
use crate::commands::provisioning::{Change, Message};

const POLAR: Provider = Provider::Polar;

/// What a message with an id tells that was signed at a time; nothing if it is none of ours. Polar sends every product's
/// metadata along, so what names no product of ours is not even noted.
pub fn read(body: &[u8], notice: &Reference, signed_at: Timestamp) -> Result<Message, Unusable> {
    let malformed = || Unusable::Malformed("the body is not an event of Polar's".to_owned());
    let event: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    let kind = text(&event, &["type"]).ok_or_else(malformed)?;
    let data = at(&event, &["data"])
        .filter(|data| data.is_object())
        .ok_or_else(malformed)?;
    let mut message = Message::new(POLAR, notice.id());
    let is_order = matches!(kind, "order.paid" | "order.refunded");
    if !is_order && !kind.starts_with("subscription.") {
        return Ok(message);
    }
    // What the vendor has written into the product goes before what came with the checkout.
    let metadata = [
        at(data, &["product", "metadata"]),
        at(data, &["metadata"]),
        at(data, &["subscription", "metadata"]),
    ];
    let Some(what) = bought(&metadata)? else {
        return Ok(message);
    };
    let id = required(data, &["id"])?;
    let at = time(&event, &["timestamp"])
        .or_else(|| time(data, &["modified_at"]))
        .unwrap_or(signed_at);
    match kind {
        "order.paid" => {
            let subscription = reference(POLAR, data, &["subscription_id"])?;
            if let Some(of) = &subscription
                && let Some(paid_until) = time(data, &["subscription", "current_period_end"])
            {
                message.changes.push(Change::Paid {
                    of: of.clone(),
                    payment: Some(id.clone()),
                    paid_until,
                    at,
                });
            }
            // A renewal of what was bought before this server heard of it issues nothing.
            if matches!(
                text(data, &["billing_reason"]),
                Some("purchase" | "subscription_create") | None
            ) {
                let recurring = subscription.is_some();
                let purchase = subscription.unwrap_or_else(|| id.clone());
                let email = address("data.customer.email", text(data, &["customer", "email"]))?;
                let own = reference(POLAR, data, &["checkout_id"])?.unwrap_or(id);
                let name = text(data, &["customer", "name"]);
                message.checkout = Some(checkout((purchase, own), what, email, name, recurring));
            }
        }
        "order.refunded" if text(data, &["status"]) == Some("refunded") => {
            message.changes.push(Change::Refunded { of: id });
        }
        _ if is_order => {}
        _ => subscription(kind, data, (id, what), at, &mut message)?,
    }
    Ok(message)
}

fn required(data: &Value, path: &[&str]) -> Result<Reference, Unusable> {
    reference(POLAR, data, path)?
        .ok_or_else(|| Unusable::field(format!("data.{}", path.join(".")), "is required"))
}

fn subscription(
    kind: &str,
    data: &Value,
    (id, what): (Reference, (vinzy_events::product::ProductCode, Option<String>)),
    at: Timestamp,
    message: &mut Message,
) -> Result<(), Unusable> {
    let status = text(data, &["status"]).unwrap_or_default();
    // A trial is paid with nothing, and so by no order.
    if status == "trialing"
        && let Some(paid_until) = time(data, &["trial_end"]).or_else(|| time(data, &["current_period_end"]))
    {
        message.changes.push(Change::Paid {
            of: id.clone(),
            payment: None,
            paid_until,
            at,
        });
        let email = address("data.customer.email", text(data, &["customer", "email"]))?;
        let own = reference(POLAR, data, &["checkout_id"])?.unwrap_or_else(|| id.clone());
        let name = text(data, &["customer", "name"]);
        message.checkout = Some(checkout((id.clone(), own), what, email, name, true));
    }
    let has_ended = time(data, &["ended_at"]).is_some();
    let standing = match (kind, status) {
        ("subscription.revoked", _) | (_, "incomplete_expired") => Some(Standing::Ended),
        // Cancelled, and paid up to the end of its period.
        (_, "canceled") if has_ended => Some(Standing::Ended),
        (_, "active" | "trialing" | "past_due" | "canceled") => Some(Standing::Active),
        (_, "unpaid") => Some(Standing::Unpaid),
        _ => None,
    };
    let change = standing.map(|standing| Change::Standing { of: id, standing, at });
    message.changes.extend(change);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(id: &str) -> Reference {
        Reference::parse(POLAR, id).unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn event(kind: &str, data: Value) -> Message {
        let event = json!({"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": data});
        read(event.to_string().as_bytes(), &of("msg_1"), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn order(billing_reason: &str) -> Value {
        json!({
            "id": "order-1", "status": "paid", "billing_reason": billing_reason, "checkout_id": "checkout-1",
            "subscription_id": "subscription-1", "subscription": {"current_period_end": "2026-04-01T12:00:00Z"},
            "customer": {"email": "jane@example.com", "name": null}, "metadata": {"vinzy_tier": "pro"},
            "product": {"name": "X", "metadata": {"vinzy_product": "PRD"}},
        })
    }

    fn paid() -> Change {
        Change::Paid {
            of: of("subscription-1"),
            payment: Some(of("order-1")),
            paid_until: moment("2026-04-01T12:00:00Z"),
            at: moment("2026-03-01T12:00:00Z"),
        }
    }

    #[test]
    fn a_first_order_issues_and_a_later_one_renews() {
        let first = event("order.paid", order("subscription_create"));
        assert_eq!(first.changes, [paid()]);
        let checkout = first.checkout.unwrap();
        assert_eq!(
            (checkout.purchase, checkout.checkout, checkout.recurring),
            (of("subscription-1"), of("checkout-1"), true)
        );
        assert_eq!(
            (checkout.tier.as_deref(), checkout.name.as_str()),
            (Some("pro"), "jane@example.com")
        );
        let later = event("order.paid", order("subscription_cycle"));
        assert_eq!(later.changes, [paid()]);
        assert!(later.checkout.is_none());
        let mut once = order("purchase");
        once["subscription_id"] = Value::Null;
        once["subscription"] = Value::Null;
        let once = event("order.paid", once);
        assert_eq!(once.changes, []);
        let checkout = once.checkout.unwrap();
        assert_eq!((checkout.purchase, checkout.recurring), (of("order-1"), false));
    }

    #[test]
    fn what_names_no_product_of_ours_is_passed_over() {
        let mut foreign = order("purchase");
        foreign["product"]["metadata"] = json!({});
        foreign["metadata"] = json!({});
        for kind in ["order.paid", "order.refunded"] {
            assert!(event(kind, foreign.clone()).is_empty());
        }
        let others = json!({"id": "subscription-1", "status": "canceled", "product": {"metadata": {}}});
        assert!(event("subscription.revoked", others).is_empty());
        assert!(event("benefit.created", json!({"id": "x"})).is_empty());
    }

    #[test]
    fn only_an_order_that_is_refunded_in_full_counts() {
        let refunded = |status: &str| {
            let mut order = order("purchase");
            order["status"] = status.into();
            event("order.refunded", order).changes
        };
        assert_eq!(refunded("refunded"), [Change::Refunded { of: of("order-1") }]);
        assert_eq!(refunded("partially_refunded"), []);
    }

    fn subscription_in(kind: &str, status: &str, ended_at: Option<&str>) -> Message {
        event(
            kind,
            json!({
                "id": "subscription-1", "status": status, "ended_at": ended_at, "cancel_at_period_end": true,
                "current_period_end": "2026-04-01T12:00:00Z", "customer": {"email": "jane@example.com", "name": "J"},
                "product": {"metadata": {"product_code": "PRD"}},
            }),
        )
    }

    #[test]
    fn a_cancelled_subscription_lasts_until_it_is_revoked() {
        let standing = |kind, status, ended_at| {
            let message = subscription_in(kind, status, ended_at);
            assert!(message.checkout.is_none());
            match message.changes.as_slice() {
                [Change::Standing { standing, .. }] => Some(*standing),
                _ => None,
            }
        };
        let ended = Some("2026-03-01T12:00:00Z");
        for (kind, status, ended_at, expected) in [
            ("subscription.active", "active", None, Some(Standing::Active)),
            ("subscription.canceled", "active", None, Some(Standing::Active)),
            ("subscription.uncanceled", "active", None, Some(Standing::Active)),
            ("subscription.past_due", "past_due", None, Some(Standing::Active)),
            ("subscription.updated", "unpaid", None, Some(Standing::Unpaid)),
            ("subscription.updated", "canceled", ended, Some(Standing::Ended)),
            ("subscription.revoked", "canceled", ended, Some(Standing::Ended)),
            ("subscription.revoked", "active", None, Some(Standing::Ended)),
            ("subscription.created", "incomplete", None, None),
        ] {
            assert_eq!(standing(kind, status, ended_at), expected, "{kind} {status}");
        }
    }

    #[test]
    fn a_trial_is_a_purchase() {
        let trial = subscription_in("subscription.created", "trialing", None);
        let checkout = trial.checkout.unwrap();
        assert_eq!(
            (checkout.purchase, checkout.recurring),
            (of("subscription-1"), true)
        );
        assert!(matches!(&trial.changes[0], Change::Paid { payment: None, .. }));
    }
}
