//! Every answer that is an error is a problem document, whoever made it: a handler, an extractor, the framework, or a
//! panic. Also the headers that every answer carries.

use std::fmt;
use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError};
use futures_util::FutureExt as _;

use super::request_id::{HEADER, RequestId};
use crate::domain::refusal::Refusal;
use crate::http::problem::Problem;

/// Makes every error a problem document.
pub async fn problems<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let body_limit = super::state(&request).body_limit;
    let id = request.extensions().get::<RequestId>().cloned();
    // A panic is a bug of one handler. Its caller hears so under an id that can be looked up, and the connection lives.
    let Ok(answered) = AssertUnwindSafe(next.call(request)).catch_unwind().await else {
        tracing::error!("handler panicked");
        return Err(Crashed(id).into());
    };
    let mut response = documented(answered?.map_into_boxed_body(), id.as_ref(), body_limit);
    secure(response.headers_mut());
    Ok(response)
}

fn documented(
    response: ServiceResponse<BoxBody>,
    id: Option<&RequestId>,
    body_limit: usize,
) -> ServiceResponse<BoxBody> {
    let ours = response.response().error().and_then(|error| error.as_error::<Problem>()).cloned();
    let status = response.status();
    let problem = match ours {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => {
            Problem::of_status(status, body_limit)
        }
        None => return response,
    };
    let (request, bare) = response.into_parts();
    let mut document = problem.respond(id.map(RequestId::as_str));
    // `Allow`, and what inner middleware has said.
    for (name, value) in bare.headers() {
        if !document.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            document.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, document)
}

fn secure(headers: &mut HeaderMap) {
    // A file of the web pages says itself how long it is good for.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, const { HeaderValue::from_static("nosniff") });
}

/// A handler that panicked: its request is gone, so the answer is made from the id alone.
#[derive(Debug)]
struct Crashed(Option<RequestId>);

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handler panicked")
    }
}

impl ResponseError for Crashed {
    fn status_code(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn error_response(&self) -> HttpResponse {
        let refusal =
            Refusal::unavailable("the server failed on this request; it is logged under its request id");
        let mut response = Problem::from(refusal).respond(self.0.as_ref().map(RequestId::as_str));
        secure(response.headers_mut());
        if let Some(id) = &self.0 {
            response.headers_mut().insert(HEADER, id.header());
        }
        response
    }
}
