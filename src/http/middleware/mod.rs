//! What every request passes, from the outermost in: a measure, an id, problem documents, the edge limit, no keys in the query,
//! a bounded body.
//!
//! A middleware that refuses answers `refuse`, never `Err`: only a response still knows its request, and with it the
//! request's id.

pub mod body;
pub mod edge_limit;
pub mod measure;
pub mod on_behalf;
pub mod problems;
pub mod query_keys;
pub mod refused_operators;
pub mod request_id;
pub mod trace_context;

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::{HttpMessage as _, web};

use super::problem::Problem;
use super::state::HttpState;
use crate::domain::refusal::Refusal;

/// The answer to a refused request is written within this time, if the client reads at all.
const HELD: Duration = Duration::from_secs(5);

/// Ends a request with a refusal; `problems` makes it a document.
fn refuse(mut request: ServiceRequest, refusal: Refusal) -> ServiceResponse<BoxBody> {
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        // Of a chunked body that was let go the framework waits for the rest, for ever. One that is still held when
        // the answer is written makes it hang up.
        hold(Some(request.take_payload()));
    }
    // Not `into_response`, which forgets the error.
    request.error_response(Problem::from(refusal))
}

/// Keeps what is left of a body until the answer is written.
fn hold(payload: Option<Payload>) {
    actix_web::rt::spawn(async move {
        tokio::time::sleep(HELD).await;
        drop(payload);
    });
}

fn state(request: &ServiceRequest) -> web::Data<HttpState> {
    let state = request.app_data::<web::Data<HttpState>>();
    state.expect("the routes are mounted beside their state").clone()
}
