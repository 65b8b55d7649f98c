//! The name in a path. One of the wrong form names nothing, so it is absent like any other.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::domain::refusal::Refusal;
use crate::http::problem::Problem;

/// The path's `{id}`.
#[derive(Debug)]
pub struct Id<T>(pub T);

/// 404 when it is not of the form of a `T`.
impl<T: FromStr> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(Self).ok_or_else(|| Refusal::not_found().into()))
    }
}
