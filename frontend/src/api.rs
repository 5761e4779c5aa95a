//! Sends calls.

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
pub async fn send<T>(call: &Call<T>, idempotency_key: Option<&str>) -> Result<T, Problem> {
    let answer = exchange(call, idempotency_key)
        .await
        .map_err(|_| unreachable_server())?;
    if answer.status == 401 {
        session::ended();
    }
    call.read(&answer).map_err(|problem| *problem)
}

async fn exchange<T>(call: &Call<T>, idempotency_key: Option<&str>) -> Result<Answer, gloo_net::Error> {
    let address = place::api(&call.path);
    let mut request = builder(call.method, &address);
    if let Some(key) = idempotency_key {
        request = request.header("Idempotency-Key", key);
    }
    let request = match &call.body {
        Some(body) => request
            .header("Content-Type", "application/json")
            .body(body.to_string())?,
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
