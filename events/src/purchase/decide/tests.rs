use cqrs_es::test::TestFramework;
use serde_json::Map;

use super::*;
use crate::key::KeyDigest;
use crate::license::{CreateLicense, License, LicenseCommand, LicenseEvent, LicenseStatus, LicenseSuspended};
use crate::product::ProductCode;
use crate::purchase::{Provider, PurchaseStatus};
use crate::stream::StreamAggregate;

const GRACE: u32 = 3;

fn day(day: u32) -> Timestamp {
    "2026-01-01T00:00:00Z"
        .parse::<Timestamp>()
        .unwrap()
        .plus_days(day)
        .unwrap()
}

fn reference(id: &str) -> Reference {
    Reference::parse(Provider::Stripe, id).unwrap()
}

fn command(fact: Fact) -> PurchaseCommand {
    PurchaseCommand {
        reference: reference("sub_1"),
        notice: "evt_1".into(),
        fact,
    }
}

fn complete(recurring: bool, expires_at: Option<Timestamp>) -> Fact {
    Fact::Completed(Box::new(Complete {
        checkout: reference("cs_1"),
        license_id: "0197f0a2-0000-7000-8000-000000000001".parse().unwrap(),
        customer_id: "0197f0a2-0000-7000-8000-000000000002".parse().unwrap(),
        product_code: ProductCode::parse("PRD").unwrap(),
        tier: "pro".into(),
        recurring,
        expires_at,
    }))
}

fn paid(payment: &str, until: u32, at: u32) -> Fact {
    Fact::Paid {
        payment: Some(reference(payment)),
        paid_until: day(until),
        at: day(at),
    }
}

fn standing(standing: Standing, at: u32) -> Fact {
    Fact::Standing {
        standing,
        at: day(at),
    }
}

fn refunded(payment: &str) -> Fact {
    Fact::Refunded {
        payment: reference(payment),
    }
}

/// The events that facts lead to, told in this order.
fn events(facts: Vec<Fact>) -> Vec<PurchaseEvent> {
    let mut purchase = Purchase::default();
    let mut all = vec![];
    for fact in facts {
        for event in purchase.decide(command(fact), day(0)).unwrap() {
            all.push(event.clone());
            purchase.evolve(event);
        }
    }
    all
}

fn given(facts: Vec<Fact>) -> cqrs_es::test::AggregateTestExecutor<Purchase> {
    TestFramework::with(day(0)).given(events(facts))
}

#[test]
fn a_license_is_issued_once() {
    given(vec![complete(true, None)])
        .when(command(complete(true, None)))
        .then_expect_error(PurchaseError::AlreadyCompleted);
}

#[test]
fn what_is_known_is_not_noted_again() {
    let known = || {
        vec![
            complete(true, None),
            paid("in_1", 30, 0),
            standing(Standing::Unpaid, 32),
            refunded("in_1"),
            Fact::Linked {
                to: reference("sub_2"),
            },
        ]
    };
    for fact in known().into_iter().skip(1) {
        given(known()).when(command(fact)).then_expect_events(vec![]);
    }
    let other = Fact::Linked {
        to: reference("sub_3"),
    };
    given(known()).when(command(other)).then_expect_events(vec![]);
    let itself = Fact::Linked {
        to: reference("sub_1"),
    };
    given(vec![]).when(command(itself)).then_expect_events(vec![]);
}

#[test]
fn an_earlier_word_changes_nothing_and_the_end_is_final() {
    given(vec![standing(Standing::Active, 5)])
        .when(command(standing(Standing::Unpaid, 4)))
        .then_expect_events(vec![]);
    given(vec![standing(Standing::Active, 5)])
        .when(command(standing(Standing::Unpaid, 5)))
        .then_expect_events(vec![]);
    given(vec![standing(Standing::Ended, 5)])
        .when(command(standing(Standing::Active, 6)))
        .then_expect_events(vec![]);
}

#[test]
fn nothing_is_noted_of_a_license_that_there_is_not() {
    let applied = Fact::Applied {
        expires_at: None,
        suspended: Some(true),
    };
    given(vec![paid("in_1", 30, 0)])
        .when(command(applied))
        .then_expect_error(PurchaseError::NotCompleted);
}

/// A purchase with its license, as the server keeps them.
#[derive(Clone, Default)]
struct World {
    purchase: Purchase,
    license: License,
}

impl World {
    fn tell(&mut self, fact: Fact, at: Timestamp) {
        if let Fact::Completed(complete) = &fact {
            let expiry = self.purchase.expiry(GRACE).filter(|_| complete.recurring);
            self.issue(expiry.or(complete.expires_at), at);
            let mut complete = complete.clone();
            complete.expires_at = self.license.live().unwrap().expires_at;
            self.note(Fact::Completed(complete), at);
        } else {
            self.note(fact, at);
        }
        let effects = self.purchase.effects(&self.license, GRACE, at);
        for command in effects.commands {
            self.command(command, at);
        }
        if let Some(applied) = effects.applied {
            self.note(applied, at);
        }
    }

    fn issue(&mut self, expires_at: Option<Timestamp>, at: Timestamp) {
        let content = CreateLicense {
            product_id: "0197f0a2-0000-7000-8000-000000000003".parse().unwrap(),
            product_code: ProductCode::parse("PRD").unwrap(),
            customer_id: "0197f0a2-0000-7000-8000-000000000002".parse().unwrap(),
            tier: "pro".into(),
            machines_limit: None,
            expires_at,
            features: Map::new(),
            entitlements: Map::new(),
            metadata: Map::new(),
            key_digest: KeyDigest::of("key"),
            key_version: 0,
        };
        self.command(LicenseCommand::Create(Box::new(content)), at);
    }

    fn command(&mut self, command: LicenseCommand, at: Timestamp) {
        for event in self.license.decide(command, at).unwrap() {
            self.license.evolve(event);
        }
    }

    fn note(&mut self, fact: Fact, at: Timestamp) {
        for event in self.purchase.decide(command(fact), at).unwrap() {
            self.purchase.evolve(event);
        }
    }

    fn told(facts: &[Fact], at: Timestamp) -> Self {
        let mut world = Self::default();
        for fact in facts {
            world.tell(fact.clone(), at);
        }
        world
    }

    /// What others see of the license: its expiry and its status then.
    fn seen(&self, at: Timestamp) -> (Option<Timestamp>, LicenseStatus) {
        let state = self.license.live().unwrap();
        (state.expires_at, state.status(at))
    }
}

fn permutations(facts: &[Fact]) -> Vec<Vec<Fact>> {
    if facts.len() < 2 {
        return vec![facts.to_vec()];
    }
    let mut all = vec![];
    for first in 0..facts.len() {
        let mut rest = facts.to_vec();
        let first = rest.remove(first);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// Whatever the order in which the facts are told, the license is the same in the end.
#[track_caller]
fn whatever_the_order(facts: &[Fact], expires_at: u32, status: LicenseStatus) {
    let at = day(1);
    for order in permutations(facts) {
        let world = World::told(&order, at);
        assert_eq!(world.seen(at), (Some(day(expires_at)), status), "{order:?}");
        // And all of it once more changes nothing.
        let mut again = world.clone();
        for fact in order
            .into_iter()
            .filter(|fact| !matches!(fact, Fact::Completed(_)))
        {
            again.tell(fact, at);
        }
        assert_eq!(again.seen(at), world.seen(at));
    }
}

#[test]
fn a_subscription_lasts_some_days_longer_than_it_is_paid() {
    let first = [complete(true, Some(day(365))), paid("in_1", 30, 0)];
    whatever_the_order(&first, 33, LicenseStatus::Active);
    let renewed = [
        complete(true, Some(day(365))),
        paid("in_1", 30, 0),
        paid("in_2", 60, 30),
        standing(Standing::Active, 30),
    ];
    whatever_the_order(&renewed, 63, LicenseStatus::Active);
}

#[test]
fn who_pays_late_is_reinstated_and_who_cancels_is_not() {
    let late = [
        complete(true, None),
        paid("in_1", 30, 0),
        standing(Standing::Unpaid, 35),
        paid("in_2", 60, 40),
    ];
    whatever_the_order(&late, 63, LicenseStatus::Active);
    let never = [
        complete(true, None),
        paid("in_1", 30, 0),
        standing(Standing::Active, 0),
        standing(Standing::Unpaid, 35),
    ];
    whatever_the_order(&never, 33, LicenseStatus::Suspended);
    let cancelled = [
        complete(true, None),
        paid("in_1", 30, 0),
        standing(Standing::Active, 10),
        standing(Standing::Ended, 30),
    ];
    whatever_the_order(&cancelled, 33, LicenseStatus::Suspended);
}

#[test]
fn a_refund_counts_for_what_was_paid_last() {
    let last = [
        complete(true, None),
        paid("in_1", 30, 0),
        paid("in_2", 60, 30),
        refunded("in_2"),
    ];
    whatever_the_order(&last, 63, LicenseStatus::Suspended);
    let before = [
        complete(true, None),
        paid("in_1", 30, 0),
        paid("in_2", 60, 30),
        refunded("in_1"),
    ];
    whatever_the_order(&before, 63, LicenseStatus::Active);
    let once = [complete(false, Some(day(365))), refunded("sub_1")];
    whatever_the_order(&once, 365, LicenseStatus::Suspended);
}

#[test]
fn of_two_payments_up_to_the_same_time_always_the_same_counts() {
    let facts = [
        complete(true, None),
        paid("in_1", 30, 0),
        paid("in_2", 30, 10),
        refunded("in_2"),
    ];
    whatever_the_order(&facts, 33, LicenseStatus::Active);
}

#[test]
fn what_was_decided_by_hand_stays() {
    let at = day(1);
    // A suspension.
    let mut world = World::told(&[complete(true, None), paid("in_1", 30, 0)], at);
    world.command(LicenseCommand::Suspend { reason: None }, at);
    world.tell(standing(Standing::Unpaid, 10), at);
    world.tell(paid("in_2", 60, 30), at);
    assert_eq!(world.seen(at), (Some(day(63)), LicenseStatus::Suspended));
    // A later end, and an earlier one once it is passed by.
    for (by_hand, expected) in [(500, 500), (10, 63)] {
        let mut world = World::told(&[complete(true, None), paid("in_1", 30, 0)], at);
        let expires_at = Some(day(by_hand));
        world.command(LicenseCommand::Renew { expires_at }, at);
        world.tell(standing(Standing::Active, 2), at);
        assert_eq!(world.seen(at).0, expires_at);
        world.tell(paid("in_2", 60, 30), at);
        assert_eq!(world.seen(at).0, Some(day(expected)));
    }
    // Reinstated although it is over; and withdrawn for good.
    let mut world = World::told(&[complete(true, None), standing(Standing::Ended, 5)], at);
    world.command(LicenseCommand::Reinstate { reason: None }, at);
    world.tell(refunded("in_1"), at);
    assert_eq!(world.seen(at).1, LicenseStatus::Active);
    world.command(LicenseCommand::Revoke { reason: None }, at);
    world.tell(paid("in_2", 60, 30), at);
    assert_eq!(world.seen(at).1, LicenseStatus::Revoked);
}

#[test]
fn what_is_heard_of_too_late_ends_in_the_past() {
    let mut world = World::told(&[complete(true, Some(day(400)))], day(100));
    world.tell(paid("in_1", 30, 0), day(100));
    assert_eq!(world.seen(day(100)), (Some(day(33)), LicenseStatus::Expired));
}

#[test]
fn a_suspension_says_why() {
    let world = World::told(&[complete(false, None)], day(0));
    let mut refunded_world = world.clone();
    refunded_world.note(refunded("sub_1"), day(0));
    let status = refunded_world.purchase.state().unwrap().status();
    assert_eq!(status, PurchaseStatus::Refunded);
    let effects = refunded_world.purchase.effects(&world.license, GRACE, day(0));
    let [command] = <[LicenseCommand; 1]>::try_from(effects.commands).unwrap();
    let events = world.license.decide(command, day(0)).unwrap();
    let reason = Some("stripe: refunded".to_owned());
    assert_eq!(events, [LicenseEvent::Suspended(LicenseSuspended { reason })]);
}
