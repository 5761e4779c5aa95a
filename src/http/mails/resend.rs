//! `POST /mails/{mail_id}/resend`

use axum::Json;
use axum::extract::State;
use vinzy_client::provisioning as wire;
use vinzy_events::MailId;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::{Identified, PathId};
use crate::mails::ResendError;

/// Send a mail with a license key again.
///
/// At once, to the address that the customer has now, and from then on as often as the schedule has it. A mail that
/// was delivered cannot be sent again: its key was deleted then.
#[utoipa::path(
    post, path = "/mails/{mail_id}/resend", tag = "Purchases", operation_id = "resendMail",
    params(("mail_id" = String, Path, format = "uuid")),
    responses(
        (status = 200, description = "The mail as it is now", body = wire::Mail),
        (status = 409, description = "It was delivered, is being sent, or no mail server is set", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<MailId>,
) -> Result<Json<wire::Mail>, Problem> {
    let mail = app.mails.resend(&caller.ledger_id, id).await?;
    Ok(Json(super::wire(mail)))
}

impl From<ResendError> for Problem {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::Database(error) => error.into(),
            ResendError::NotFound => MailId::not_found(),
            ResendError::Delivered => Self::conflict(
                "MAIL_DELIVERED",
                "A mail server has taken this mail, and its license key was deleted then: nobody but the customer has \
                 it. Issue another license with POST /licenses, and revoke this one.",
            ),
            ResendError::UnderWay => Self::conflict(
                "MAIL_UNDER_WAY",
                "The mail is being sent just now: look again in a moment.",
            ),
            ResendError::NoServer => Self::conflict(
                "MAIL_NOT_CONFIGURED",
                "No mail server is set (VINZY_SMTP_URL): there is no way to send it.",
            ),
        }
    }
}
