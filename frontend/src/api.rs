//! Sends calls.

use std::pin::Pin;

use gloo_net::http::{Request, RequestBuilder};
use vinzy_client::call::{Answer, Call};
use vinzy_client::service::Problem;

use crate::place;
use crate::session;

/// Sends a call once.
///
/// # Errors
/// What the server refused, that it cannot be reached (status 0), or that its answer makes no sense. That the session is
/// over is also told to the whole page.
pub async fn send<T>(call: &Call<T>) -> Result<T, Problem> {
    let answer = Outgoing::of(call).send().await?;
    call.read(&answer).map_err(|problem| *problem)
}

/// A request without the type of its answer: all calls share the code that sends it, so that there is less to fetch.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// As [`Call::method`].
    pub method: &'static str,
    address: String,
    body: Option<String>,
    /// What makes a second try the same as the first.
    pub idempotency_key: Option<String>,
}

/// An answer that is on its way.
pub type Sending = Pin<Box<dyn Future<Output = Result<Answer, Problem>>>>;

impl Outgoing {
    /// What is sent for a call.
    pub fn of<T>(call: &Call<T>) -> Self {
        Self {
            method: call.method,
            address: place::api(&call.path),
            body: call.body.as_ref().map(ToString::to_string),
            idempotency_key: None,
        }
    }

    /// Sends it once.
    ///
    /// # Errors
    /// That the server cannot be reached.
    pub fn send(self) -> Sending {
        Box::pin(async move {
            let answer = exchange(self).await.map_err(|_| unreachable_server())?;
            if answer.status == 401 {
                session::ended();
            }
            Ok(answer)
        })
    }
}

async fn exchange(outgoing: Outgoing) -> Result<Answer, gloo_net::Error> {
    let mut request = builder(outgoing.method, &outgoing.address);
    if let Some(key) = &outgoing.idempotency_key {
        request = request.header("Idempotency-Key", key);
    }
    let request = match outgoing.body {
        Some(body) => request.header("Content-Type", "application/json").body(body)?,
        None => request.build()?,
    };
    let response = request.send().await?;
    let header = |name: &str| response.headers().get(name);
    Ok(Answer {
        status: response.status(),
        total: header("X-Total-Count").and_then(|total| total.parse().ok()),
        link: header("Link"),
        request_id: header("X-Request-Id"),
        body: response.binary().await?,
    })
}

fn builder(method: &str, address: &str) -> RequestBuilder {
    match method {
        "POST" => Request::post(address),
        "PATCH" => Request::patch(address),
        "DELETE" => Request::delete(address),
        _ => Request::get(address),
    }
}

fn unreachable_server() -> Problem {
    Problem {
        code: "UNREACHABLE".to_owned(),
        detail: "The server cannot be reached. Nothing is lost: try again in a moment.".to_owned(),
        ..Problem::default()
    }
}

/// Starts something that ends later.
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    leptos::task::spawn_local(work);
}
