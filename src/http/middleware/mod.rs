//! What every request passes, from the outermost in: an id, problem documents, the edge limit, no keys in the query,
//! a bounded body.
//!
//! A middleware that refuses answers [`refuse`], never `Err`: only a response still knows its request, and with it the
//! request's id.

pub mod body;
pub mod edge_limit;
pub mod problems;
pub mod query_keys;
pub mod request_id;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web;

use super::problem::Problem;
use super::state::HttpState;
use crate::domain::refusal::Refusal;

/// Ends a request with a refusal; `problems` makes it a document.
fn refuse(request: ServiceRequest, refusal: Refusal) -> ServiceResponse<BoxBody> {
    // Not `into_response`, which forgets the error.
    request.error_response(Problem::from(refusal))
}

fn state(request: &ServiceRequest) -> web::Data<HttpState> {
    let state = request.app_data::<web::Data<HttpState>>();
    state.expect("the routes are mounted beside their state").clone()
}
