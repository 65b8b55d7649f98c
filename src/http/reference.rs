//! What the server says of itself: the two documents, the explorer and the list of errors. Everything is in the program,
//! so it works without a network; the explorer loads nothing from anywhere else and may not.

use std::sync::{Arc, OnceLock};

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::Value;
use utoipa_swagger_ui::Config;

use super::answer::Answer;
use super::asyncapi;
use super::extract::query::{Nothing, Query};
use super::openapi::operation::{Operation, get};
use super::openapi::{self, errors};
use super::problem::ERRORS;
use crate::domain::refusal::Refusal;

const JSON: &str = "application/json";
/// The explorer brings its own scripts and asks this server only; its pictures are in its style sheet, and it sets styles
/// on elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'none'";

/// Mounts them.
pub fn routes(scope: &mut web::ServiceConfig) {
    let at = |path: &str| web::resource(path.to_owned());
    scope
        .service(at("/openapi.json").route(web::get().to(openapi_json)))
        .service(at("/asyncapi.json").route(web::get().to(asyncapi_json)))
        .service(at(ERRORS).route(web::get().to(errors_page)))
        .service(at("/docs").route(web::get().to(to_explorer)))
        .service(at("/docs/{file:[a-zA-Z0-9.-]*}").route(web::get().to(explorer)));
}

/// What of this file the OpenAPI document says. The pages for people are not in it.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/openapi.json", openapi_json).named("getOpenapi", "This document").answering(
            200,
            "OpenAPI 3.1",
            &some("openapi", "3.1.0"),
        ),
        get("/asyncapi.json", asyncapi_json).named("getAsyncapi", "The description of the feed").answering(
            200,
            "AsyncAPI 3.0",
            &some("asyncapi", "3.0.0"),
        ),
    ]
}

fn some(name: &str, version: &str) -> serde_json::Map<String, Value> {
    [(name.to_owned(), version.into())].into_iter().collect()
}

/// `GET /openapi.json`.
async fn openapi_json(_: Query<Nothing>) -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    HttpResponse::Ok().content_type(JSON).body(TEXT.get_or_init(openapi::document).as_str())
}

/// `GET /asyncapi.json`.
async fn asyncapi_json(_: Query<Nothing>) -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    HttpResponse::Ok().content_type(JSON).body(TEXT.get_or_init(asyncapi::document).as_str())
}

/// `GET /docs/errors`: where every problem's `type` leads.
async fn errors_page() -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    page("text/html; charset=utf-8", TEXT.get_or_init(errors::page).as_bytes().to_vec())
}

/// `GET /docs`.
async fn to_explorer() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// `GET /docs/`: the explorer.
async fn explorer(file: web::Path<String>) -> Answer {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let config = Config::new(["/openapi.json"]).try_it_out_enabled(true).persist_authorization(true);
        // Without this word it would ask a validator on the web.
        Arc::new(config.validator_url("none").display_operation_id(true).filter(true))
    });
    let found = utoipa_swagger_ui::serve(&file, Arc::clone(config)).ok().flatten();
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(page(&found.content_type, found.bytes.into_owned()))
}

fn page(content_type: &str, body: Vec<u8>) -> HttpResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, POLICY);
    HttpResponse::Ok().content_type(content_type).insert_header(policy).body(body)
}
