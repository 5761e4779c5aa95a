//! What a customer answers to a command.

use super::{
    Customer, CustomerCommand, CustomerCreated, CustomerDeleted, CustomerErased, CustomerError,
    CustomerEvent, CustomerUpdated,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(
    Customer,
    "customer",
    CustomerCommand,
    CustomerEvent,
    CustomerError
);

impl StreamAggregate for Customer {
    fn decide(&self, command: CustomerCommand, at: Timestamp) -> Result<Vec<CustomerEvent>, CustomerError> {
        match command {
            CustomerCommand::Create => {
                if self.state().is_some() {
                    return Err(CustomerError::AlreadyExists);
                }
                Ok(vec![CustomerEvent::Created(CustomerCreated { created_at: at })])
            }
            CustomerCommand::Import(customer) => match self.state() {
                Some(_) => Err(CustomerError::AlreadyExists),
                None => Ok(vec![CustomerEvent::Imported(customer)]),
            },
            CustomerCommand::Update(changed) => {
                let state = self.live().ok_or(CustomerError::NotFound)?;
                if state.erased_at.is_some() {
                    return Err(CustomerError::Erased);
                }
                if changed.is_empty() {
                    return Ok(vec![]);
                }
                Ok(vec![CustomerEvent::Updated(CustomerUpdated { changed })])
            }
            CustomerCommand::Delete => {
                self.live().ok_or(CustomerError::NotFound)?;
                Ok(vec![CustomerEvent::Deleted(CustomerDeleted {})])
            }
            CustomerCommand::Erase(erasure) => {
                // Also of those who were removed: what was sealed of them is still there.
                let state = self.state().ok_or(CustomerError::NotFound)?;
                if state.erased_at.is_some() {
                    return Ok(vec![]);
                }
                Ok(vec![CustomerEvent::Erased(CustomerErased {
                    erased_at: at,
                    destroyed_keys: erasure.keys,
                    sealed_values: erasure.sealed_values,
                    reason: erasure.reason,
                })])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::customer::{EmailAddress, Erasure, PersonalField};

    type CustomerTest = TestFramework<Customer>;

    fn at() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn created() -> CustomerEvent {
        CustomerEvent::Created(CustomerCreated { created_at: at() })
    }

    #[test]
    fn a_customer_is_created_once() {
        CustomerTest::with(at())
            .given_no_previous_events()
            .when(CustomerCommand::Create)
            .then_expect_events(vec![created()]);
        CustomerTest::with(at())
            .given(vec![created()])
            .when(CustomerCommand::Create)
            .then_expect_error(CustomerError::AlreadyExists);
    }

    fn erasure() -> Erasure {
        Erasure {
            keys: vec!["k1".into()],
            sealed_values: 4,
            reason: Some("Art. 17".into()),
        }
    }

    fn erased() -> CustomerEvent {
        CustomerEvent::Erased(CustomerErased {
            erased_at: at(),
            destroyed_keys: vec!["k1".into()],
            sealed_values: 4,
            reason: Some("Art. 17".into()),
        })
    }

    #[test]
    fn an_erasure_says_what_was_destroyed() {
        CustomerTest::with(at())
            .given(vec![created()])
            .when(CustomerCommand::Erase(erasure()))
            .then_expect_events(vec![erased()]);
        CustomerTest::with(at())
            .given_no_previous_events()
            .when(CustomerCommand::Erase(erasure()))
            .then_expect_error(CustomerError::NotFound);
    }

    #[test]
    fn a_removed_customer_can_be_erased() {
        CustomerTest::with(at())
            .given(vec![created(), CustomerEvent::Deleted(CustomerDeleted {})])
            .when(CustomerCommand::Erase(erasure()))
            .then_expect_events(vec![erased()]);
    }

    #[test]
    fn a_second_erasure_changes_nothing() {
        CustomerTest::with(at())
            .given(vec![created(), erased()])
            .when(CustomerCommand::Erase(Erasure::default()))
            .then_expect_events(vec![]);
    }

    #[test]
    fn an_erased_customer_takes_no_personal_data_and_can_be_removed() {
        for changed in [BTreeSet::new(), BTreeSet::from([PersonalField::Name])] {
            CustomerTest::with(at())
                .given(vec![created(), erased()])
                .when(CustomerCommand::Update(changed))
                .then_expect_error(CustomerError::Erased);
        }
        CustomerTest::with(at())
            .given(vec![created(), erased()])
            .when(CustomerCommand::Delete)
            .then_expect_events(vec![CustomerEvent::Deleted(CustomerDeleted {})]);
    }

    #[test]
    fn a_snapshot_from_before_there_were_erasures_is_read() {
        let snapshot = r#"{"created_at":"2026-01-01T00:00:00Z","deleted":false}"#;
        let customer: Customer = serde_json::from_str(snapshot).unwrap();
        assert_eq!(customer.live().unwrap().erased_at, None);
    }

    #[test]
    fn an_update_names_the_fields_and_nothing_else() {
        let changed = BTreeSet::from([PersonalField::Email, PersonalField::Name]);
        CustomerTest::with(at())
            .given(vec![created()])
            .when(CustomerCommand::Update(changed.clone()))
            .then_expect_events(vec![CustomerEvent::Updated(CustomerUpdated { changed })]);
        CustomerTest::with(at())
            .given(vec![created()])
            .when(CustomerCommand::Update(BTreeSet::new()))
            .then_expect_events(vec![]);
    }

    #[test]
    fn a_removed_customer_takes_no_command() {
        for command in [CustomerCommand::Delete, CustomerCommand::Update(BTreeSet::new())] {
            CustomerTest::with(at())
                .given(vec![created(), CustomerEvent::Deleted(CustomerDeleted {})])
                .when(command)
                .then_expect_error(CustomerError::NotFound);
        }
    }

    #[test]
    fn only_addresses_that_mail_could_reach_are_accepted() {
        for good in ["jane@example.com", "J.D+x@sub.example.co", "müller@exämple.de"] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "jane",
            "jane@",
            "@example.com",
            "jane@localhost",
            "a b@example.com",
            "Jane <jane@example.com>",
            "jane@[127.0.0.1]",
            "jane@example.com\n",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            EmailAddress::parse("Jane@Example.COM").unwrap().identity(),
            "jane@example.com"
        );
    }
}
