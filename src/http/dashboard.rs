//! `/dashboard/`: the application for admins, as files that `cargo xtask dashboard` has built.
//!
//! A release embeds them; any other build reads them from `frontend/dist` at each request. Addresses in the page are
//! relative to a `<base>` that is relative itself: so it works below any prefix, also one that a proxy has stripped.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::shell;
use crate::app::App;

#[derive(RustEmbed)]
#[folder = "frontend/dist"]
#[allow_missing = true]
struct Files;

const ROOT: &str = "/dashboard";
/// What the page may do: run and fetch what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; \
                      frame-ancestors 'none'";
/// Compressed twins of a file, the smaller first: how HTTP calls them, and how their names end.
const TWINS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The dashboard's routes. They hold nothing secret and stand open: the application logs in.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(ROOT, get(with_slash))
        .route("/dashboard/", get(page))
        .route("/dashboard/assets/{name}", get(asset))
        .route("/dashboard/{*path}", get(page))
}

/// Relative, as everything here: the proxy's part of the path is not known.
async fn with_slash(request: Request) -> Response {
    let query = request.uri().query().map(|query| format!("?{query}"));
    let place = format!("dashboard/{}", query.unwrap_or_default());
    let Ok(place) = HeaderValue::try_from(place) else {
        return shell::no_such_route().await.into_response();
    };
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, place)]).into_response()
}

/// The page. Which of the application's it shows is for the application: a deep link and a reload get it, too.
async fn page(request: Request) -> Response {
    let Some(file) = Files::get("index.html") else {
        return not_built();
    };
    let path = request.uri().path();
    let below = path.strip_prefix(ROOT).unwrap_or(path);
    let depth = below.matches('/').count().saturating_sub(1);
    let base = if depth == 0 {
        "./".to_owned()
    } else {
        "../".repeat(depth)
    };
    let page =
        String::from_utf8_lossy(&file.data).replace("<base href=\"./\">", &format!("<base href=\"{base}\">"));
    html(StatusCode::OK, page)
}

/// A file whose name says what is in it: what browsers once fetched they need not ask for again.
async fn asset(request: Request) -> Response {
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let path = format!("assets/{name}");
    // Its twins have no address of their own.
    let known = content_type(name).and_then(|kind| Some((kind, Files::get(&path)?)));
    let Some((kind, file)) = known else {
        return shell::no_such_route().await.into_response();
    };
    let (encoding, file) = smallest(&path, file, request.headers());
    let mut response = Response::new(Body::from(file.data));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn smallest(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> (Option<&'static str>, EmbeddedFile) {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (encoding, ending) in TWINS {
        if accepts(accepted, encoding)
            && let Some(twin) = Files::get(&format!("{path}{ending}"))
        {
            return (Some(encoding), twin);
        }
    }
    (None, file)
}

/// Whether `Accept-Encoding` names an encoding with a weight above 0.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        words
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding))
            && words.all(|word| {
                let weight = word
                    .strip_prefix("q=")
                    .and_then(|weight| weight.parse::<f32>().ok());
                weight != Some(0.0)
            })
    })
}

fn content_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "wasm" => Some("application/wasm"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn not_built() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Vinzy-Engine</title>\
                <h1>The dashboard is not part of this build</h1>\
                <p>Build it with <code>cargo xtask dashboard</code>, and a release of the server after it. \
                The API works without it.</p></html>";
    html(StatusCode::NOT_FOUND, page.to_owned())
}

fn html(status: StatusCode, page: String) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (status, HEADERS, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_counts_unless_its_weight_is_nothing() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("BR;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("", "br"));
    }

    #[test]
    fn only_files_of_the_page_have_addresses() {
        assert_eq!(content_type("app-0.wasm"), Some("application/wasm"));
        assert_eq!(content_type("app-0.wasm.br"), None);
        assert_eq!(content_type("app"), None);
    }
}
