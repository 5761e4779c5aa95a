//! `GET /customers`

use axum::extract::{OriginalUri, State};
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;
use vinzy_events::customer::EmailAddress;
use vinzy_projections::{Page, customers};

use crate::app::App;
use crate::commands::customers::{erased_at, id_of_email};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List customers, oldest first.
#[utoipa::path(
    get, path = "/customers", tag = "Customers", operation_id = "listCustomers",
    params(
        ("email" = Option<String>, Query, format = "email", description = "Only the customer with this address."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Customers, with `X-Total-Count` and `Link`", body = [wire::Customer]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Customer>, Problem> {
    let email = query.parse("email", "must be an e-mail address", |text| {
        EmailAddress::parse(text).ok()
    });
    let request = query.page();
    query.finish()?;
    let ledger_id = &caller.ledger_id;
    let by_id = match &email {
        None => None,
        Some(email) => match id_of_email(&app, ledger_id, email).await? {
            None => {
                return Ok(Listed::new(
                    &uri,
                    Page::<_, u64> {
                        rows: vec![],
                        total: 0,
                        next: None,
                    },
                    |row| row,
                ));
            }
            found => found,
        },
    };
    app.in_step(customers::NAME, ledger_id).await?;
    let mut page = customers::list(&app.pool, ledger_id, by_id, request).await?;
    let ids: Vec<CustomerId> = page.rows.iter().map(|row| row.id).collect();
    let mut data = app.personal_data.current(ledger_id, &ids).await?;
    for row in &mut page.rows {
        if !data.contains_key(&row.id) && row.erased_at.is_none() {
            // Between the two reads they were erased.
            row.erased_at = erased_at(&app, ledger_id, row.id).await?;
        }
    }
    Ok(Listed::new(&uri, page, |row| {
        let data = data.remove(&row.id).unwrap_or_default();
        super::wire(row.id, row.created_at, row.erased_at, data)
    }))
}
