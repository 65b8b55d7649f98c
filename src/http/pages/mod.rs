//! The web pages: the admin UI below `/ui/`, and `/pair`, on which a person links a number. They come out of the program
//! itself and ask nobody but this server; everything that they show they ask the API for, like anybody else.

mod tree;

use actix_web::http::header::{self, AcceptEncoding, Header as _, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

pub use self::tree::{File, INDEX, PAIR, Tree};
use super::answer::Answer;
use super::extract::State;
use crate::domain::refusal::Refusal;

/// Where the admin UI begins.
const UI: &str = "/ui/";
/// Names below it are files and never places in the UI.
const FILES: &str = "assets/";
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const REFERRER: HeaderName = HeaderName::from_static("referrer-policy");

/// What a page may do: run our scripts, wear our styles and ask this server. Neither script nor style stands in the page itself, so
/// no text of a tenant ever becomes either.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What of the device a page may use: nothing, but for writing to the clipboard.
const DEVICE: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), \
                      geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                      publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";
/// A hashed name means the same for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Kept, and asked for each time whether it is still the one.
const ASK_FIRST: &str = "no-cache";

/// Instead of pages, in a program that was built without them.
const ABSENT: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Columba</title>\n</head>\n<body>\n\
    <h1>This server was built without its web pages</h1>\n\
    <p>Whoever runs it builds them with Node 20.19 or newer and builds the server again:</p>\n\
    <pre>make build</pre>\n\
    <p>Everything else works: <a href=\"/docs/\">the API</a>, and <code>columba --help</code>.</p>\n\
    </body>\n</html>\n";

/// Mounts them.
pub fn routes(scope: &mut web::ServiceConfig) {
    let at = |path: &str| web::resource(path.to_owned());
    scope
        .service(at("/").route(web::get().to(to_ui)).route(web::head().to(to_ui)))
        .service(at("/ui").route(web::get().to(to_ui)).route(web::head().to(to_ui)))
        .service(at("/ui/{file:.*}").route(web::get().to(ui)).route(web::head().to(ui)))
        .service(at("/pair").route(web::get().to(pair)).route(web::head().to(pair)));
}

async fn to_ui() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, UI)).finish()
}

/// A file of the UI; a place in it, which only its script knows, is its first page.
async fn ui(state: State, name: web::Path<String>, request: HttpRequest) -> Answer {
    if let Some(file) = state.pages.get(&name) {
        return Ok(sent(file, &request));
    }
    if name.starts_with(FILES) || !wants_page(&request) {
        return Err(Refusal::not_found().into());
    }
    Ok(page(state.pages.get(INDEX), &request))
}

async fn pair(state: State, request: HttpRequest) -> HttpResponse {
    page(state.pages.get(PAIR), &request)
}

fn page(file: Option<&File>, request: &HttpRequest) -> HttpResponse {
    match file {
        Some(file) => sent(file, request),
        None => {
            let mut response = HttpResponse::Ok();
            response
                .content_type("text/html; charset=utf-8")
                .insert_header((header::CACHE_CONTROL, ASK_FIRST));
            guarded(&mut response).body(ABSENT)
        }
    }
}

fn sent(file: &File, request: &HttpRequest) -> HttpResponse {
    let form = file.form(AcceptEncoding::parse(request).ok().as_ref());
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    // Weak or not: these bytes are compared as a whole.
    let is_known = known
        .flat_map(|tags| tags.split(','))
        .any(|tag| matches!(tag.trim(), tag if tag == "*" || tag.trim_start_matches("W/") == form.tag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, form.tag))
        .insert_header((header::VARY, header::ACCEPT_ENCODING.as_str()))
        .insert_header((header::CACHE_CONTROL, if file.is_hashed { FOR_EVER } else { ASK_FIRST }));
    if file.is_page() {
        guarded(&mut response);
    }
    if is_known {
        return response.finish();
    }
    if let Some(encoding) = form.encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response.content_type(file.media.as_str()).body(form.body)
}

/// What every page is bound by.
fn guarded(response: &mut actix_web::HttpResponseBuilder) -> &mut actix_web::HttpResponseBuilder {
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER, "no-referrer"))
        .insert_header((PERMISSIONS, DEVICE))
        .insert_header((OPENER, "same-origin"))
        .insert_header((ROBOTS, "noindex"))
}

fn wants_page(request: &HttpRequest) -> bool {
    let ranges = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
}
