//! `GET /mails`

use axum::extract::{OriginalUri, State};
use uuid::Uuid;
use vinzy_client::provisioning as wire;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};
use crate::mails::{self, Filter, MailStatus};

/// List mails with license keys, newest first.
///
/// Of whom they go to and what they hold nothing is shown.
#[utoipa::path(
    get, path = "/mails", tag = "Purchases", operation_id = "listMails",
    params(
        ("status" = Option<String>, Query, pattern = "^(pending|delivered|undelivered)?$", description = "`pending`, `delivered` or `undelivered`."),
        ("license_id" = Option<String>, Query, format = "uuid", description = "Only those of this license."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<String>, Query, format = "uuid", description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Mails, with `X-Total-Count` and `Link`", body = [wire::Mail]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Mail>, Problem> {
    let filter = Filter {
        status: query.parse(
            "status",
            "must be pending, delivered or undelivered",
            MailStatus::parse,
        ),
        license_id: query.parse("license_id", "must be a UUID", |text| text.parse().ok()),
    };
    let request = query.page_by(|text| Uuid::parse_str(text).ok());
    query.finish()?;
    let page = mails::list(&app.pool, &caller.ledger_id, filter, request).await?;
    Ok(Listed::new(&uri, page, super::wire))
}
