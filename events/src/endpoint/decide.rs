//! What a webhook endpoint answers to a command.

use super::{
    CreateEndpoint, DisableReason, Endpoint, EndpointCommand, EndpointCreated, EndpointDeleted,
    EndpointDisabled, EndpointError, EndpointEvent, EndpointSecretRotated, EndpointState, EndpointStatus,
    EndpointUpdated, UpdateEndpoint,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(
    Endpoint,
    "endpoint",
    EndpointCommand,
    EndpointEvent,
    EndpointError
);

impl StreamAggregate for Endpoint {
    fn decide(&self, command: EndpointCommand, at: Timestamp) -> Result<Vec<EndpointEvent>, EndpointError> {
        match command {
            EndpointCommand::Create(content) => self.create(content, at),
            EndpointCommand::Import(endpoint) => match self.state() {
                Some(_) => Err(EndpointError::AlreadyExists),
                None => Ok(vec![EndpointEvent::Imported(endpoint)]),
            },
            EndpointCommand::Update(changes) => self.update(changes, at),
            EndpointCommand::RotateSecret {
                secret_id,
                overlap_seconds,
            } => {
                self.existing()?;
                Ok(vec![EndpointEvent::SecretRotated(EndpointSecretRotated {
                    secret_id,
                    previous_valid_until: at.plus_seconds(overlap_seconds).unwrap_or(at),
                    rotated_at: at,
                })])
            }
            EndpointCommand::Disable { reason } => Ok(disable(self.existing()?, reason, at)),
            EndpointCommand::Delete => {
                self.existing()?;
                Ok(vec![EndpointEvent::Deleted(EndpointDeleted { deleted_at: at })])
            }
        }
    }
}

impl Endpoint {
    fn existing(&self) -> Result<&EndpointState, EndpointError> {
        self.live().ok_or(EndpointError::NotFound)
    }

    fn create(&self, content: CreateEndpoint, at: Timestamp) -> Result<Vec<EndpointEvent>, EndpointError> {
        if self.state().is_some() {
            return Err(EndpointError::AlreadyExists);
        }
        Ok(vec![EndpointEvent::Created(EndpointCreated {
            url: content.url,
            description: content.description,
            event_types: content.event_types,
            max_retries: content.max_retries,
            timeout_seconds: content.timeout_seconds,
            secret_id: content.secret_id,
            created_at: at,
        })])
    }

    fn update(&self, changes: UpdateEndpoint, at: Timestamp) -> Result<Vec<EndpointEvent>, EndpointError> {
        let state = self.existing()?;
        let disables = changes.status == Some(EndpointStatus::Disabled);
        let status = changes.status.filter(|new| *new != state.status && !disables);
        let change = EndpointUpdated {
            url: changes.url.filter(|new| *new != state.url),
            description: changes.description.filter(|new| *new != state.description),
            event_types: changes.event_types.filter(|new| *new != state.event_types),
            status,
            max_retries: changes.max_retries.filter(|new| *new != state.max_retries),
            timeout_seconds: changes
                .timeout_seconds
                .filter(|new| *new != state.timeout_seconds),
            updated_at: at,
        };
        let mut events = vec![];
        if change != nothing(at) {
            events.push(EndpointEvent::Updated(change));
        }
        if disables {
            events.extend(disable(state, DisableReason::Requested, at));
        }
        Ok(events)
    }
}

const fn nothing(at: Timestamp) -> EndpointUpdated {
    EndpointUpdated {
        url: None,
        description: None,
        event_types: None,
        status: None,
        max_retries: None,
        timeout_seconds: None,
        updated_at: at,
    }
}

fn disable(state: &EndpointState, reason: DisableReason, at: Timestamp) -> Vec<EndpointEvent> {
    if state.status == EndpointStatus::Disabled {
        return vec![];
    }
    vec![EndpointEvent::Disabled(EndpointDisabled {
        reason,
        disabled_at: at,
    })]
}

#[cfg(test)]
mod tests;
