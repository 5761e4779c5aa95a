//! `GET /settings`

use axum::Json;
use axum::extract::State;
use vinzy_client::settings as wire;

use crate::app::App;
use crate::http::caller::Caller;
use crate::settings::Setting;

/// Show what the server is set to.
///
/// For whoever runs it: every setting with where it comes from, and never the value of a secret. On several servers it
/// is those of the one that answers.
#[utoipa::path(
    get, path = "/settings", tag = "Service", operation_id = "getSettings",
    responses((status = 200, description = "The settings", body = wire::Settings))
)]
pub async fn handle(_: Caller, State(app): State<App>) -> Json<wire::Settings> {
    Json(wire::Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: app.settings.iter().map(wire).collect(),
    })
}

fn wire(setting: &Setting) -> wire::Setting {
    let Setting {
        name,
        description,
        value,
        secret,
        source,
    } = setting.clone();
    wire::Setting {
        name,
        description,
        value,
        secret,
        source: source.as_str().to_owned(),
    }
}
