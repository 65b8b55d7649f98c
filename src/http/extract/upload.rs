//! A file as a body: what is said of it is judged here, its bytes are left to the handler.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::domain::media::{MIME_MAX, is_mime};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::middleware::body::Pieces;
use crate::http::problem::Problem;

/// A file on its way.
pub struct Upload {
    /// Its bytes, as they come.
    pub pieces: Pieces,
    /// The media type it is sent as, if one is said.
    pub mime: Option<String>,
    /// How many bytes will come, if that is said.
    pub announced: Option<u64>,
}

/// 415 for a form and for what is encoded, 400 for a `Content-Type` that is none.
impl FromRequest for Upload {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map_err(Problem::from))
    }
}

fn read(request: &HttpRequest) -> Result<Upload, Refusal> {
    let headers = request.headers();
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let mime = text(headers, header::CONTENT_TYPE)?;
    let is_form = mime.as_deref().is_some_and(|mime| {
        mime.starts_with("multipart/") || mime.starts_with("application/x-www-form-urlencoded")
    });
    if !plain || is_form {
        return Err(Refusal::not_a_plain_file());
    }
    if mime.as_deref().is_some_and(|mime| !is_mime(mime)) {
        let detail = format!("expected a media type such as image/jpeg, at most {MIME_MAX} bytes");
        let fault = Fault::new("Content-Type", "not_allowed", detail.clone());
        return Err(Refusal::malformed(format!("Content-Type: {detail}"), vec![fault]));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let pieces = request.extensions().get::<Pieces>().cloned();
    let pieces = pieces.ok_or_else(|| Refusal::unavailable("the body is not at hand"))?;
    Ok(Upload { pieces, mime, announced })
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Refusal> {
    let unreadable = |_| Refusal::malformed("Content-Type: visible ASCII only", vec![]);
    headers.get(name).map(|value| value.to_str().map(str::to_ascii_lowercase)).transpose().map_err(unreadable)
}
