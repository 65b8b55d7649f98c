//! How many requests there are, and how long they take.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;

use crate::meters;

/// Counts the request under the pattern of its route: a path would name whom it is about.
pub async fn measure<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let clock = super::state(&request).clock.clone();
    let begun = clock.now();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = known(request.method());
    let response = next.call(request).await?.map_into_boxed_body();
    meters::request(method, &route, response.status().as_u16(), clock.now().since(begun));
    Ok(response)
}

/// A method is a caller's own word: what we do not know has no place of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
