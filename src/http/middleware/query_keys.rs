//! A key in a query string ends in logs, histories and referrers. It is refused, so that nobody gets used to it.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::domain::refusal::{Fault, Refusal};
use crate::http::extract::query::pairs;

const NAMES: [&str; 4] = ["access_token", "api_key", "key", "token"];

/// 400 for a query parameter that looks like a place for a key.
pub async fn query_keys<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let given = pairs(request.query_string());
    let named = given.iter().find_map(|(name, _)| NAMES.iter().find(|key| name.eq_ignore_ascii_case(key)));
    if let Some(name) = named {
        let detail = "keys are not taken from the query; send the header Authorization: Bearer <key>, and replace \
                      this key if it was a real one";
        let fault = Fault::new(format!("?{name}"), "not_allowed", detail);
        return Ok(super::refuse(request, Refusal::malformed(detail, vec![fault])));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
