//! An AI agent that works within a budget of tokens: the server counts, and never lets the limit be passed.
//!
//! ```sh
//! VINZY_SERVER=https://licenses.example.com VINZY_LICENSE=PRD-… cargo run --example agent --features client
//! ```

use std::env;
use std::fmt;

use vinzy_client::usage::RecordUsageRequest;
use vinzy_client::{Error, LicenseClient};

/// What a model answers, and what that cost.
pub struct Completion {
    /// The answer.
    pub text: String,
    /// Its price.
    pub tokens: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AgentError {
    /// The agent may not go on: it is off, or its budget is used up.
    OutOfTokens(String),
    /// The server could not be asked.
    Licensing(Error),
}

/// An agent whose tokens are counted.
pub struct MeteredAgent {
    client: LicenseClient,
    code: String,
}

impl MeteredAgent {
    /// The agent of a code, as the license has it.
    pub fn new(client: LicenseClient, code: &str) -> Self {
        Self {
            client,
            code: code.to_owned(),
        }
    }

    /// Answers a prompt and records its tokens. Asking again under the same `task_id` is not counted twice.
    pub async fn ask(
        &self,
        task_id: &str,
        prompt: &str,
        model: impl AsyncFnOnce(&str) -> Completion,
    ) -> Result<String, AgentError> {
        let allowed = self.client.validate_agent(&self.code).await?;
        let left = allowed
            .tokens_remaining
            .map_or(f64::INFINITY, |left| left.to_f64());
        if !allowed.valid || left <= 0.0 {
            return Err(AgentError::OutOfTokens(allowed.message));
        }
        let completion = model(prompt).await;
        let recorded = self.client.record_usage_with(RecordUsageRequest {
            metric: format!("agent.{}.tokens", self.code),
            value: Some(completion.tokens.into()),
            idempotency_key: Some(format!("{}-{task_id}", self.code)),
            ..RecordUsageRequest::default()
        });
        let recorded = recorded.await?;
        if !recorded.success {
            // It cost more than was left: what cannot be counted is not handed out.
            let left = recorded
                .remaining
                .map(|left| left.to_string())
                .unwrap_or_default();
            return Err(AgentError::OutOfTokens(format!(
                "{} tokens, {left} left",
                completion.tokens
            )));
        }
        Ok(completion.text)
    }
}

impl From<Error> for AgentError {
    fn from(error: Error) -> Self {
        Self::Licensing(error)
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfTokens(why) => f.write_str(why),
            Self::Licensing(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AgentError {}

/// Stands for a model.
pub async fn echo(prompt: &str) -> Completion {
    Completion {
        text: prompt.to_uppercase(),
        tokens: prompt.len() as u64,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = LicenseClient::builder(env::var("VINZY_SERVER")?)
        .license_key(env::var("VINZY_LICENSE")?)
        .build()?;
    let agent = MeteredAgent::new(client, "CTO");
    println!("{}", agent.ask("1", "what is next?", echo).await?);
    Ok(())
}
