//! What known operators were refused is written down: it says that somebody tries what is not theirs.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use serde_json::json;

use super::edge_limit::Caller;
use crate::domain::audit::{Act, Action};
use crate::domain::refusal::Code;
use crate::http::extract::operator::actor;
use crate::http::presented::{Acting, Presented};
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// Characters of a path that are kept.
pub const PATH: usize = 256;

/// Whether a 403 says that it is not theirs, and not only what they have to do first.
fn is_meant(response: &ServiceResponse<BoxBody>) -> bool {
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    problem.is_none_or(|problem| problem.refusal().code == Code::Forbidden)
}

/// Adds an entry to the audit for a 401 or 403 of a known operator. As many as bad keys a minute; beyond it they hear 429, so
/// that nobody fills the log.
pub async fn refused_operators<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    note(next.call(request).await?.map_into_boxed_body()).await
}

/// Adds the entry, if the answer is such a refusal.
pub async fn note(response: ServiceResponse<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let code = match response.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthorized,
        StatusCode::FORBIDDEN if is_meant(&response) => Code::Forbidden,
        _ => return Ok(response),
    };
    let known = match response.request().extensions().get::<Presented>() {
        Some(Presented::Operator(Acting { identity, .. }) | Presented::Former(identity, _)) => {
            Some(identity.clone())
        }
        _ => None,
    };
    let Some(known) = known else { return Ok(response) };
    let state = response.request().app_data::<web::Data<HttpState>>();
    let state = state.expect("the routes are mounted beside their state").clone();
    if let Err(refusal) = state.edge_limit.count_bad_key(Caller::Operator(known.id)).await {
        return Ok(response.error_response(Problem::from(refusal)));
    }
    let (act, by) = {
        let request = response.request();
        let path: String = request.path().chars().take(PATH).collect();
        let act = Act::new(Action::CallRefused, "call", format_args!("{} {path}", request.method()));
        (act.after(&json!({"status": response.status().as_u16(), "code": code})), actor(request, &known))
    };
    if let Err(error) = state.audit.record(by, act).await {
        // The refusal stands: nothing was changed, and the store's trouble is told by the store.
        tracing::warn!(%error, operator = %known.id, "a refused call could not be written down");
    }
    Ok(response)
}
