//! What Stripe's events tell, in the shapes that its API has had: ids that later versions moved elsewhere are looked for
//! in all their places.

use serde_json::Value;
use vinzy_events::Timestamp;
use vinzy_events::purchase::{Provider, Reference, Standing};

use super::{Unusable, address, at, bought, checkout, id, named, reference, seconds, text};
use crate::commands::provisioning::{Change, Message};

const STRIPE: Provider = Provider::Stripe;

/// What an event tells; nothing if it is none of ours.
pub fn read(body: &[u8]) -> Result<Message, Unusable> {
    let malformed = || Unusable::Malformed("the body is not an event of Stripe's".to_owned());
    let event: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    let notice = text(&event, &["id"]).ok_or_else(malformed)?;
    let notice = named(STRIPE, notice, "id")?;
    let kind = text(&event, &["type"]).ok_or_else(malformed)?;
    let object = at(&event, &["data", "object"]).ok_or_else(malformed)?;
    let at = seconds(&event, &["created"]).ok_or_else(malformed)?;
    let mut message = Message::new(STRIPE, notice.id());
    match kind {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            session(object, &mut message)?;
        }
        "invoice.paid" => invoice(object, at, &mut message)?,
        "invoice_payment.paid" => {
            let payment = reference(STRIPE, object, &["payment", "payment_intent"])?;
            let invoice = reference(STRIPE, object, &["invoice"])?;
            let link = payment.zip(invoice);
            message
                .changes
                .extend(link.map(|(from, to)| Change::Linked { from, to }));
        }
        "customer.subscription.updated"
        | "customer.subscription.paused"
        | "customer.subscription.resumed" => {
            let of = required(object, &["id"])?;
            let standing = text(object, &["status"]).and_then(standing);
            let change = standing.map(|standing| Change::Standing { of, standing, at });
            message.changes.extend(change);
        }
        "customer.subscription.deleted" => message.changes.push(Change::Standing {
            of: required(object, &["id"])?,
            standing: Standing::Ended,
            at,
        }),
        // True once all of it was given back.
        "charge.refunded" if object.get("refunded") == Some(&Value::Bool(true)) => {
            for path in ["payment_intent", "invoice"] {
                let of = reference(STRIPE, object, &[path])?;
                message.changes.extend(of.map(|of| Change::Refunded { of }));
            }
        }
        _ => {}
    }
    Ok(message)
}

fn required(object: &Value, path: &[&str]) -> Result<Reference, Unusable> {
    reference(STRIPE, object, path)?.ok_or_else(|| Unusable::field(path.join("."), "is required"))
}

/// A checkout that is paid, or costs nothing now: one that is paid later is told of again then.
fn session(session: &Value, message: &mut Message) -> Result<(), Unusable> {
    let paid = matches!(
        text(session, &["payment_status"]),
        Some("paid" | "no_payment_required")
    );
    let mode = text(session, &["mode"]).unwrap_or("payment");
    if !paid || mode == "setup" {
        return Ok(());
    }
    let Some(what) = bought(&[at(session, &["metadata"])])? else {
        return Ok(());
    };
    let own = required(session, &["id"])?;
    let subscription = reference(STRIPE, session, &["subscription"])?;
    let recurring = subscription.is_some();
    let payment = reference(STRIPE, session, &["payment_intent"])?;
    let purchase = subscription.or(payment).unwrap_or_else(|| own.clone());
    let details = ["customer_details", "email"];
    let email = text(session, &details).or_else(|| text(session, &["customer_email"]));
    let email = address("customer_details.email", email)?;
    let name = ["name", "individual_name", "business_name"]
        .into_iter()
        .find_map(|name| text(session, &["customer_details", name]));
    message.checkout = Some(checkout((purchase, own), what, email, name, recurring));
    Ok(())
}

/// A subscription's invoice: its lines say up to when is paid, the invoice's own period is the one before.
fn invoice(invoice: &Value, paid_at: Timestamp, message: &mut Message) -> Result<(), Unusable> {
    let of = match reference(STRIPE, invoice, &["subscription"])? {
        Some(of) => Some(of),
        None => reference(
            STRIPE,
            invoice,
            &["parent", "subscription_details", "subscription"],
        )?,
    };
    let Some(of) = of else { return Ok(()) };
    let lines = at(invoice, &["lines", "data"]).and_then(Value::as_array);
    let lines = lines.map(Vec::as_slice).unwrap_or_default();
    let of_subscription = |line: &&Value| {
        id(line, &["subscription"]).is_some()
            || id(line, &["parent", "subscription_item_details", "subscription"]).is_some()
    };
    let end = |lines: &mut dyn Iterator<Item = &Value>| {
        lines.filter_map(|line| seconds(line, &["period", "end"])).max()
    };
    let paid_until = end(&mut lines.iter().filter(of_subscription)).or_else(|| end(&mut lines.iter()));
    let Some(paid_until) = paid_until else {
        return Err(Unusable::field("lines.data", "must hold a line with a period"));
    };
    let payment = required(invoice, &["id"])?;
    let intent = reference(STRIPE, invoice, &["payment_intent"])?;
    message.changes.extend(intent.map(|from| Change::Linked {
        from,
        to: payment.clone(),
    }));
    message.changes.push(Change::Paid {
        of,
        payment: Some(payment),
        paid_until,
        at: paid_at,
    });
    Ok(())
}

/// What a status means; `None` for one in which nothing was paid yet. While the provider still tries to collect, the
/// days of grace run.
fn standing(status: &str) -> Option<Standing> {
    match status {
        "active" | "trialing" | "past_due" => Some(Standing::Active),
        "unpaid" | "paused" => Some(Standing::Unpaid),
        "canceled" | "incomplete_expired" => Some(Standing::Ended),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, object: Value) -> Message {
        try_event(kind, object).unwrap()
    }

    fn try_event(kind: &str, object: Value) -> Result<Message, Unusable> {
        let event =
            json!({"id": "evt_1", "type": kind, "created": 1_772_366_400, "data": {"object": object}});
        read(event.to_string().as_bytes())
    }

    fn at() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn of(id: &str) -> Reference {
        Reference::parse(STRIPE, id).unwrap()
    }

    fn paid_session() -> Value {
        json!({
            "id": "cs_1", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_1", "subscription": null,
            "customer_details": {"email": "Jane@Example.com", "name": "Jane Doe"},
            "metadata": {"vinzy_product": "PRD", "vinzy_tier": "pro"},
        })
    }

    #[test]
    fn a_paid_checkout_says_who_bought_what() {
        let checkout = event("checkout.session.completed", paid_session())
            .checkout
            .unwrap();
        assert_eq!((checkout.purchase, checkout.checkout), (of("pi_1"), of("cs_1")));
        assert_eq!(
            (checkout.email.as_str(), checkout.name.as_str()),
            ("Jane@Example.com", "Jane Doe")
        );
        assert_eq!(
            (
                checkout.product_code.as_str(),
                checkout.tier.as_deref(),
                checkout.recurring
            ),
            ("PRD", Some("pro"), false)
        );
        let mut free = paid_session();
        free["payment_status"] = "no_payment_required".into();
        free["payment_intent"] = Value::Null;
        let checkout = event("checkout.session.completed", free).checkout.unwrap();
        assert_eq!(checkout.purchase, of("cs_1"));
        let mut subscription = paid_session();
        subscription["mode"] = "subscription".into();
        subscription["subscription"] = json!({"id": "sub_1", "object": "subscription"});
        let checkout = event("checkout.session.completed", subscription)
            .checkout
            .unwrap();
        assert_eq!((checkout.purchase, checkout.recurring), (of("sub_1"), true));
    }

    #[test]
    fn what_is_not_paid_or_not_ours_is_passed_over() {
        let with = |name: &str, value: Value| {
            let mut session = paid_session();
            session[name] = value;
            session
        };
        for session in [
            with("payment_status", "unpaid".into()),
            with("mode", "setup".into()),
            with("metadata", json!({"sku": "7"})),
            with("metadata", Value::Null),
        ] {
            assert!(event("checkout.session.completed", session).is_empty());
        }
        let later = event("checkout.session.async_payment_succeeded", paid_session());
        assert!(later.checkout.is_some());
        assert!(event("payment_intent.succeeded", json!({"id": "pi_1"})).is_empty());
    }

    #[test]
    fn what_a_checkout_lacks_is_told() {
        for (name, value, field) in [
            ("customer_details", Value::Null, "customer_details.email"),
            (
                "customer_details",
                json!({"email": "nobody"}),
                "customer_details.email",
            ),
            (
                "metadata",
                json!({"vinzy_product": "x"}),
                "metadata.vinzy_product",
            ),
            ("id", Value::Null, "id"),
            ("payment_intent", "with space".into(), "payment_intent"),
        ] {
            let mut session = paid_session();
            session[name] = value;
            let Err(Unusable::Field { field: told, .. }) = try_event("checkout.session.completed", session)
            else {
                panic!("{name} was taken");
            };
            assert_eq!(told, field);
        }
        for body in ["", "[]", "{}", r#"{"id": "evt_1", "type": "x", "created": 1}"#] {
            assert!(
                matches!(read(body.as_bytes()), Err(Unusable::Malformed(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn an_invoice_is_read_as_older_and_newer_versions_have_it() {
        let line = json!({"period": {"start": 1, "end": 1_775_044_800}, "subscription": "sub_1"});
        let other = json!({"period": {"start": 1, "end": 1_999_999_999}});
        let old = json!({
            "id": "in_1", "subscription": "sub_1", "payment_intent": "pi_1", "period_end": 1_772_366_400,
            "lines": {"data": [other, line]},
        });
        let paid = Change::Paid {
            of: of("sub_1"),
            payment: Some(of("in_1")),
            paid_until: "2026-04-01T12:00:00Z".parse().unwrap(),
            at: at(),
        };
        let link = Change::Linked {
            from: of("pi_1"),
            to: of("in_1"),
        };
        assert_eq!(event("invoice.paid", old).changes, [link.clone(), paid.clone()]);
        let line = json!({
            "period": {"start": 1, "end": 1_775_044_800},
            "parent": {"type": "subscription_item_details", "subscription_item_details": {"subscription": "sub_1"}},
        });
        let new = json!({
            "id": "in_1", "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
            "lines": {"data": [line]},
        });
        assert_eq!(event("invoice.paid", new).changes, [paid]);
        let payment =
            json!({"invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
        assert_eq!(event("invoice_payment.paid", payment).changes, [link]);
        // One that belongs to no subscription.
        assert!(event("invoice.paid", json!({"id": "in_2", "lines": {"data": []}})).is_empty());
        let lineless = json!({"id": "in_1", "subscription": "sub_1"});
        assert!(try_event("invoice.paid", lineless).is_err());
    }

    #[test]
    fn a_subscription_that_is_cancelled_lasts_to_its_end() {
        let standing = |kind, object| match event(kind, object).changes.as_slice() {
            [Change::Standing { standing, .. }] => Some(*standing),
            _ => None,
        };
        let updated = |status: &str| {
            let object = json!({"id": "sub_1", "status": status, "cancel_at_period_end": true});
            standing("customer.subscription.updated", object)
        };
        for status in ["active", "trialing", "past_due"] {
            assert_eq!(updated(status), Some(Standing::Active), "{status}");
        }
        assert_eq!(updated("unpaid"), Some(Standing::Unpaid));
        assert_eq!(updated("canceled"), Some(Standing::Ended));
        assert_eq!(updated("incomplete"), None);
        let deleted = json!({"id": "sub_1", "status": "canceled"});
        assert_eq!(
            standing("customer.subscription.deleted", deleted),
            Some(Standing::Ended)
        );
    }

    #[test]
    fn only_what_was_given_back_in_full_counts() {
        let charge = |refunded: bool| {
            let charge =
                json!({"id": "ch_1", "payment_intent": "pi_1", "invoice": "in_1", "refunded": refunded});
            event("charge.refunded", charge).changes
        };
        let refunded = |id| Change::Refunded { of: of(id) };
        assert_eq!(charge(true), [refunded("pi_1"), refunded("in_1")]);
        assert_eq!(charge(false), []);
    }
}
