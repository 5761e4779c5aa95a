//! What a product answers to a command.

use super::{
    CreateProduct, Product, ProductCommand, ProductCreated, ProductDeleted, ProductError, ProductEvent,
    ProductState, ProductUpdated, UpdateProduct,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(Product, "product", ProductCommand, ProductEvent, ProductError);

impl StreamAggregate for Product {
    /// 2: with tiers.
    const STATE_VERSION: u32 = 2;

    fn decide(&self, command: ProductCommand, at: Timestamp) -> Result<Vec<ProductEvent>, ProductError> {
        match command {
            ProductCommand::Create(content) => self.create(content, at),
            ProductCommand::Import(product) => match self.state() {
                Some(_) => Err(ProductError::AlreadyExists),
                None => Ok(vec![ProductEvent::Imported(*product)]),
            },
            ProductCommand::Update(changes) => self.update(changes),
            ProductCommand::Delete => {
                self.live().ok_or(ProductError::NotFound)?;
                Ok(vec![ProductEvent::Deleted(ProductDeleted {})])
            }
        }
    }
}

impl Product {
    fn create(&self, content: CreateProduct, at: Timestamp) -> Result<Vec<ProductEvent>, ProductError> {
        if self.state().is_some() {
            return Err(ProductError::AlreadyExists);
        }
        Ok(vec![ProductEvent::Created(ProductCreated {
            code: content.code,
            name: content.name,
            description: content.description,
            default_tier: content.default_tier,
            features: content.features,
            tiers: content.tiers,
            metadata: content.metadata,
            created_at: at,
        })])
    }

    fn update(&self, changes: UpdateProduct) -> Result<Vec<ProductEvent>, ProductError> {
        let state = self.live().ok_or(ProductError::NotFound)?;
        let change = difference(state, changes);
        if change == ProductUpdated::default() {
            return Ok(vec![]);
        }
        Ok(vec![ProductEvent::Updated(change)])
    }
}

fn difference(state: &ProductState, changes: UpdateProduct) -> ProductUpdated {
    ProductUpdated {
        name: changes.name.filter(|new| *new != state.name),
        description: changes.description.filter(|new| *new != state.description),
        default_tier: changes.default_tier.filter(|new| *new != state.default_tier),
        features: changes.features.filter(|new| *new != state.features),
        tiers: changes.tiers.filter(|new| *new != state.tiers),
        metadata: changes.metadata.filter(|new| *new != state.metadata),
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use serde_json::{Map, json};

    use super::*;
    use crate::product::{ProductCode, TierTemplate, Tiers};

    type ProductTest = TestFramework<Product>;

    fn at() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn content() -> CreateProduct {
        CreateProduct {
            code: ProductCode::parse("PRD").unwrap(),
            name: "My Product".into(),
            description: String::new(),
            default_tier: "standard".into(),
            features: Map::new(),
            tiers: Tiers::new(),
            metadata: Map::new(),
        }
    }

    fn created() -> ProductEvent {
        ProductEvent::Created(ProductCreated {
            code: ProductCode::parse("PRD").unwrap(),
            name: "My Product".into(),
            description: String::new(),
            default_tier: "standard".into(),
            features: Map::new(),
            tiers: Tiers::new(),
            metadata: Map::new(),
            created_at: at(),
        })
    }

    fn renamed(name: &str) -> ProductEvent {
        ProductEvent::Updated(ProductUpdated {
            name: Some(name.into()),
            ..ProductUpdated::default()
        })
    }

    fn rename(name: &str) -> ProductCommand {
        ProductCommand::Update(UpdateProduct {
            name: Some(name.into()),
            ..UpdateProduct::default()
        })
    }

    #[test]
    fn a_new_product_is_created_once() {
        ProductTest::with(at())
            .given_no_previous_events()
            .when(ProductCommand::Create(content()))
            .then_expect_events(vec![created()]);
        ProductTest::with(at())
            .given(vec![created()])
            .when(ProductCommand::Create(content()))
            .then_expect_error(ProductError::AlreadyExists);
    }

    #[test]
    fn an_update_records_only_what_changed() {
        ProductTest::with(at())
            .given(vec![created()])
            .when(rename("Better"))
            .then_expect_events(vec![renamed("Better")]);
        ProductTest::with(at())
            .given(vec![created(), renamed("Better")])
            .when(rename("Better"))
            .then_expect_events(vec![]);
    }

    #[test]
    fn tiers_are_replaced_as_a_whole() {
        let tiers = |name: &str, days_valid| {
            let template = TierTemplate {
                days_valid: Some(days_valid),
                ..TierTemplate::default()
            };
            Tiers::from([(name.to_owned(), template)])
        };
        let updated = |tiers| {
            ProductEvent::Updated(ProductUpdated {
                tiers: Some(tiers),
                ..ProductUpdated::default()
            })
        };
        let update = |tiers| {
            ProductCommand::Update(UpdateProduct {
                tiers: Some(tiers),
                ..UpdateProduct::default()
            })
        };
        ProductTest::with(at())
            .given(vec![created(), updated(tiers("pro", Some(30)))])
            .when(update(tiers("team", None)))
            .then_expect_events(vec![updated(tiers("team", None))]);
        ProductTest::with(at())
            .given(vec![created(), updated(tiers("pro", None))])
            .when(update(tiers("pro", None)))
            .then_expect_events(vec![]);
    }

    #[test]
    fn a_template_tells_never_from_nothing_said() {
        let read = |text: &str| serde_json::from_str::<TierTemplate>(text).unwrap();
        assert_eq!(read("{}"), TierTemplate::default());
        let never = read(r#"{"days_valid": null, "machines_limit": null}"#);
        assert_eq!((never.days_valid, never.machines_limit), (Some(None), Some(None)));
        assert_eq!(
            serde_json::to_string(&never).unwrap(),
            r#"{"machines_limit":null,"days_valid":null}"#
        );
    }

    #[test]
    fn a_deleted_product_takes_no_command() {
        let deleted = || vec![created(), ProductEvent::Deleted(ProductDeleted {})];
        for command in [rename("x"), ProductCommand::Delete] {
            ProductTest::with(at())
                .given(deleted())
                .when(command)
                .then_expect_error(ProductError::NotFound);
        }
    }

    #[test]
    fn codes_are_one_to_three_capital_letters() {
        for good in ["A", "AB", "PRD"] {
            assert_eq!(ProductCode::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "ABCD", "prd", "P1", "É", "A B"] {
            assert_eq!(ProductCode::parse(bad), Err(InvalidProductCode), "{bad}");
        }
        assert!(serde_json::from_value::<ProductCode>(json!("nope")).is_err());
    }

    use crate::product::InvalidProductCode;
}
