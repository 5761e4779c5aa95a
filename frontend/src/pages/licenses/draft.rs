//! A license in the making: what the form holds, and what the API is asked for.

use leptos::prelude::*;
use vinzy_client::Object;
use vinzy_client::customers::{CreateCustomer, Customer};
use vinzy_client::licenses::CreateLicense;
use vinzy_client::products::Product;
use vinzy_client::service::{FieldError, Problem};
use vinzy_events::entitlement::validate_features;

use crate::components::json::parse_object;
use crate::format;

/// What the form holds, as it was typed.
#[derive(Clone, Copy)]
pub struct Draft {
    pub product: RwSignal<Option<Product>>,
    pub customer: RwSignal<Option<Customer>>,
    /// Whether the customer is made together with the license.
    pub is_new_customer: RwSignal<bool>,
    pub name: RwSignal<String>,
    pub email: RwSignal<String>,
    pub company: RwSignal<String>,
    pub tier: RwSignal<String>,
    /// `days`, `date` or `never`.
    pub ends: RwSignal<String>,
    pub days: RwSignal<String>,
    pub date: RwSignal<String>,
    pub machines: RwSignal<String>,
    pub is_unlimited: RwSignal<bool>,
    pub overrides: RwSignal<Object>,
    pub metadata: RwSignal<String>,
}

impl Draft {
    /// What the API takes when nothing is said.
    pub fn new() -> Self {
        let text = |text: &str| RwSignal::new(text.to_owned());
        Self {
            product: RwSignal::new(None),
            customer: RwSignal::new(None),
            is_new_customer: RwSignal::new(false),
            name: text(""),
            email: text(""),
            company: text(""),
            tier: text(""),
            ends: text("days"),
            days: text("365"),
            date: text(""),
            machines: text("3"),
            is_unlimited: RwSignal::new(false),
            overrides: RwSignal::new(Object::new()),
            metadata: text(""),
        }
    }

    /// The license, for a customer.
    ///
    /// # Errors
    /// What can be seen to be wrong without asking the server, by field.
    pub fn license(self, customer_id: &str) -> Result<CreateLicense, Box<Problem>> {
        let mut wrong = Wrong(vec![]);
        let Some(product) = self.product.get_untracked() else {
            wrong.add("product_code", "must be chosen");
            return Err(Box::new(wrong.problem()));
        };
        let mut license = CreateLicense::default();
        self.set_end(&mut license, &mut wrong);
        let machines_limit = if self.is_unlimited.get_untracked() {
            None
        } else {
            wrong.number("machines_limit", &self.machines.get_untracked())
        };
        let overrides = self.overrides.get_untracked();
        for (field, message) in validate_features("entitlements", &overrides)
            .err()
            .unwrap_or_default()
        {
            wrong.add(&field, &message);
        }
        let metadata = parse_object(&self.metadata.get_untracked());
        if let Err(error) = &metadata {
            wrong.add("metadata", error);
        }
        if !wrong.0.is_empty() {
            return Err(Box::new(wrong.problem()));
        }
        let tier = self.tier.get_untracked().trim().to_owned();
        Ok(CreateLicense {
            product_code: product.code,
            customer_id: customer_id.to_owned(),
            tier: (!tier.is_empty()).then_some(tier),
            machines_limit: Some(machines_limit),
            entitlements: Some(overrides),
            metadata: metadata.ok(),
            ..license
        })
    }

    fn set_end(self, license: &mut CreateLicense, wrong: &mut Wrong) {
        match self.ends.get_untracked().as_str() {
            "days" => {
                license.days_valid = wrong.number("days_valid", &self.days.get_untracked()).map(Some);
            }
            "date" => {
                license.expires_at = format::from_field(&self.date.get_untracked()).map(Some);
                if license.expires_at.is_none() {
                    wrong.add("expires_at", "must be a date and a time");
                }
            }
            _ => license.expires_at = Some(None),
        }
    }

    /// The customer that is made together with the license.
    pub fn new_customer(self) -> CreateCustomer {
        CreateCustomer {
            name: self.name.get_untracked().trim().to_owned(),
            email: self.email.get_untracked().trim().to_owned(),
            company: Some(self.company.get_untracked().trim().to_owned()),
            metadata: None,
        }
    }

    /// The tier that the license will have.
    pub fn effective_tier(self) -> String {
        let tier = self.tier.get().trim().to_owned();
        if tier.is_empty() {
            self.product
                .get()
                .map(|product| product.default_tier)
                .unwrap_or_default()
        } else {
            tier
        }
    }
}

/// What is wrong, by field.
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn add(&mut self, field: &str, message: &str) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }

    fn number(&mut self, field: &str, text: &str) -> Option<u32> {
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.add(field, "must be a whole number from 1");
        }
        number
    }

    fn problem(self) -> Problem {
        Problem {
            status: 422,
            errors: self.0,
            ..Problem::default()
        }
    }
}
