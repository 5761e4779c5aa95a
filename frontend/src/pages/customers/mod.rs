//! Customers: who licenses are issued to.

mod composed;
mod customer;
mod deletion;
mod erasure;
mod form;
mod list;
pub mod names;
pub mod picker;

pub use customer::Customer;
pub use list::Customers;

use vinzy_client::customers;

/// What is being done to which customer.
#[derive(Debug, Clone, PartialEq)]
enum Task {
    Create,
    Edit(customers::Customer),
    Delete(customers::Customer),
}

/// What a customer is called, also one of whom nothing is known any more.
pub fn title(customer: &customers::Customer) -> String {
    if customer.erased_at.is_some() {
        "Erased customer".to_owned()
    } else if customer.name.is_empty() {
        customer.email.clone()
    } else {
        customer.name.clone()
    }
}
