//! How handlers answer, and how they make sure that what they began is ended.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use tracing::Instrument as _;

use super::problem::Problem;
use crate::domain::refusal::Refusal;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a handler answers.
pub type Answer = Result<HttpResponse, Problem>;

/// 200 with a body.
pub fn ok(body: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(body))
}

/// 202 with a body.
pub fn accepted(body: impl Serialize) -> Answer {
    Ok(HttpResponse::Accepted().json(body))
}

/// 204.
pub fn done() -> Answer {
    Ok(HttpResponse::NoContent().finish())
}

/// The answer to a creation; a replay says that it is one.
pub fn created(status: StatusCode, replayed: bool, body: impl Serialize) -> Answer {
    let mut response = HttpResponseBuilder::new(status);
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    Ok(response.json(body))
}

/// Runs `work` to its end even if the caller hangs up. For work of several steps where the first alone would mislead.
pub async fn to_the_end<T: 'static>(
    work: impl Future<Output = Result<T, Problem>> + 'static,
) -> Result<T, Problem> {
    let ended = actix_web::rt::spawn(work.in_current_span()).await;
    ended.unwrap_or_else(|_| Err(Refusal::unavailable("the server failed on this request; try again").into()))
}
