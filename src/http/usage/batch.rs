//! `POST /usage/batch`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde_json::Value;
use tokio::task::unconstrained;
use vinzy_client::usage as wire;

use super::{Use, VALUE, count, refused};
use crate::app::App;
use crate::directory::Located;
use crate::http::body::{Body, Fields, FromFields, read_fields};
use crate::http::caller::Visitor;
use crate::http::machines::KEY;
use crate::http::problem::{FieldError, Problem};

/// The longest body, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// Records of a batch at most.
const MAX_RECORDS: usize = 1_000;

/// Several records.
pub struct Batch {
    records: Vec<Item>,
}

/// A record that can be tried, or why it cannot.
struct Item {
    key: String,
    metric: String,
    content: Result<Use, Vec<FieldError>>,
}

/// One record of a batch: the key may stand beside all of them.
struct Record {
    key: Option<String>,
    content: Use,
}

/// Record usage many times.
///
/// Each record is counted or refused by itself, in their order, with a result of its own: the codes are those
/// of `/usage/record`, and where that answers with a problem, the problem's code and detail. A body may be an
/// object with `records`, or the bare array of them; up to 1 MiB. With an `Idempotency-Key` header, records
/// without an `idempotency_key` of their own are safe to repeat, too, each by its place in the batch.
#[utoipa::path(
    post, path = "/usage/batch", tag = "Usage", operation_id = "recordUsageBatch",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::RecordUsageBatchRequest,
    responses((status = 200, description = "What became of each", body = wire::RecordUsageBatchResponse))
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    body: Body<Batch>,
) -> Result<Json<wire::RecordUsageBatchResponse>, Problem> {
    let records = body.content.records;
    let mut located: HashMap<String, Option<Located>> = HashMap::new();
    for item in &records {
        if !located.contains_key(&item.key) {
            let found = app.validator.locate(&item.key).await?.ok();
            located.insert(item.key.clone(), found);
        }
    }
    // They come to the ledger's queue in this order and are decided in it; pausing for other tasks on the way
    // would change it.
    let counting = records.into_iter().enumerate().map(|(index, item)| {
        let located = located.get(&item.key).and_then(Option::as_ref);
        let header = visitor.idempotency_key().map(|key| format!("{key}\u{1f}{index}"));
        outcome(&app, &visitor, located, item, header)
    });
    let results = unconstrained(join_all(counting)).await;
    let recorded = results.iter().filter(|result| result.success).count();
    Ok(Json(wire::RecordUsageBatchResponse {
        recorded,
        refused: results.len() - recorded,
        results,
    }))
}

async fn outcome(
    app: &App,
    visitor: &Visitor,
    located: Option<&Located>,
    item: Item,
    header: Option<String>,
) -> wire::RecordUsageResponse {
    let metric = item.metric;
    let content = match item.content {
        Ok(content) => content,
        Err(errors) => return problem(metric, &Problem::unprocessable(errors)),
    };
    let Some(located) = located else {
        return refused(metric, "NOT_FOUND", "License not found");
    };
    let order = content.order(app, visitor, located, header.as_deref());
    count(app, order, located, content.usage)
        .await
        .unwrap_or_else(|refusal| problem(metric, &refusal))
}

fn problem(metric: String, problem: &Problem) -> wire::RecordUsageResponse {
    refused(metric, problem.code(), problem.detail())
}

impl FromFields for Batch {
    const ARRAY: Option<&'static str> = Some("records");
    const AMOUNT: Option<&'static str> = Some(VALUE);

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.optional_text("key", KEY);
        let records = fields.required::<Vec<Value>>("records")?;
        if !(1..=MAX_RECORDS).contains(&records.len()) {
            return fields.refuse("records", format!("must be 1 to {MAX_RECORDS} records"));
        }
        let records = records
            .into_iter()
            .map(|record| item(record, key.as_deref()))
            .collect();
        Some(Self { records })
    }
}

fn item(record: Value, shared_key: Option<&str>) -> Item {
    let metric = record["metric"].as_str().unwrap_or_default().to_owned();
    let read = match record {
        Value::Object(object) => read_fields::<Record>(object),
        _ => Err(wrong("record", "must be an object")),
    };
    let complete = read.and_then(|Record { key, content }| {
        let key = key.or_else(|| shared_key.map(str::to_owned));
        key.map(|key| (key, content))
            .ok_or_else(|| wrong("key", "is required"))
    });
    let (key, content) = match complete {
        Ok((key, content)) => (key, Ok(content)),
        Err(errors) => (String::new(), Err(errors)),
    };
    Item { key, metric, content }
}

fn wrong(field: &str, message: &str) -> Vec<FieldError> {
    vec![FieldError {
        field: field.to_owned(),
        message: message.to_owned(),
    }]
}

impl FromFields for Record {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.optional_text("key", KEY);
        let content = Use::from_fields(fields)?;
        Some(Self { key, content })
    }
}
