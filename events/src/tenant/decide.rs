//! What a tenant answers to a command.

use super::{
    CreateTenant, Tenant, TenantClosed, TenantCommand, TenantCreated, TenantError, TenantEvent, TenantState,
    TenantUpdated, UpdateTenant,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(Tenant, "tenant", TenantCommand, TenantEvent, TenantError);

impl StreamAggregate for Tenant {
    fn decide(&self, command: TenantCommand, at: Timestamp) -> Result<Vec<TenantEvent>, TenantError> {
        match command {
            TenantCommand::Create(content) => self.create(content, at),
            TenantCommand::Import(tenant) => match self.state() {
                Some(_) => Err(TenantError::AlreadyExists),
                None => Ok(vec![TenantEvent::Imported(*tenant)]),
            },
            TenantCommand::Update(changes) => self.update(changes),
            TenantCommand::Close => {
                self.existing()?;
                Ok(vec![TenantEvent::Closed(TenantClosed { closed_at: at })])
            }
        }
    }
}

impl Tenant {
    fn existing(&self) -> Result<&TenantState, TenantError> {
        self.live().ok_or(TenantError::NotFound)
    }

    fn create(&self, content: CreateTenant, at: Timestamp) -> Result<Vec<TenantEvent>, TenantError> {
        if self.state().is_some() {
            return Err(TenantError::AlreadyExists);
        }
        Ok(vec![TenantEvent::Created(TenantCreated {
            name: content.name,
            slug: content.slug,
            hmac_key_version: content.hmac_key_version,
            config_overrides: content.config_overrides,
            created_at: at,
        })])
    }

    fn update(&self, changes: UpdateTenant) -> Result<Vec<TenantEvent>, TenantError> {
        let state = self.existing()?;
        let change = TenantUpdated {
            name: changes.name.filter(|new| *new != state.name),
            hmac_key_version: changes
                .hmac_key_version
                .filter(|new| *new != state.hmac_key_version),
            config_overrides: changes
                .config_overrides
                .filter(|new| *new != state.config_overrides),
        };
        if change == TenantUpdated::default() {
            return Ok(vec![]);
        }
        Ok(vec![TenantEvent::Updated(change)])
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use serde_json::Map;

    use super::*;
    use crate::tenant::{InvalidTenantSlug, TenantSlug};

    type TenantTest = TestFramework<Tenant>;

    fn at() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn created() -> TenantEvent {
        TenantEvent::Created(TenantCreated {
            name: "Acme".into(),
            slug: TenantSlug::parse("acme").unwrap(),
            hmac_key_version: None,
            config_overrides: Map::new(),
            created_at: at(),
        })
    }

    fn create() -> TenantCommand {
        TenantCommand::Create(CreateTenant {
            name: "Acme".into(),
            slug: TenantSlug::parse("acme").unwrap(),
            hmac_key_version: None,
            config_overrides: Map::new(),
        })
    }

    #[test]
    fn a_tenant_is_taken_in_once() {
        TenantTest::with(at())
            .given_no_previous_events()
            .when(create())
            .then_expect_events(vec![created()]);
        TenantTest::with(at())
            .given(vec![created()])
            .when(create())
            .then_expect_error(TenantError::AlreadyExists);
    }

    #[test]
    fn an_update_records_only_what_changed() {
        let update = |name: &str, hmac_key_version| {
            TenantCommand::Update(UpdateTenant {
                name: Some(name.into()),
                hmac_key_version: Some(hmac_key_version),
                config_overrides: None,
            })
        };
        TenantTest::with(at())
            .given(vec![created()])
            .when(update("Acme", None))
            .then_expect_events(vec![]);
        TenantTest::with(at())
            .given(vec![created()])
            .when(update("Acme", Some(1)))
            .then_expect_events(vec![TenantEvent::Updated(TenantUpdated {
                hmac_key_version: Some(Some(1)),
                ..TenantUpdated::default()
            })]);
    }

    #[test]
    fn a_closed_tenant_takes_no_command() {
        let closed = TenantEvent::Closed(TenantClosed { closed_at: at() });
        for command in [
            TenantCommand::Close,
            TenantCommand::Update(UpdateTenant::default()),
        ] {
            TenantTest::with(at())
                .given(vec![created(), closed.clone()])
                .when(command)
                .then_expect_error(TenantError::NotFound);
        }
    }

    #[test]
    fn slugs_are_labels_of_host_names() {
        for good in ["a", "acme", "acme-2", "0", &"a".repeat(63)] {
            assert_eq!(TenantSlug::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Acme",
            "-a",
            "a-",
            "a_b",
            "a.b",
            "default",
            "system",
            "é",
            &"a".repeat(64),
        ] {
            assert_eq!(TenantSlug::parse(bad), Err(InvalidTenantSlug), "{bad}");
        }
    }
}
