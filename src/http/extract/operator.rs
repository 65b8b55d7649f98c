//! The operator. Anything but the token is 401: a tenant's key learns nothing here.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::domain::refusal::Refusal;
use crate::http::presented::Presented;
use crate::http::problem::Problem;

/// A caller who showed the operator's token.
#[derive(Debug)]
pub struct Operator(());

/// 401 for anybody else.
impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.extensions().get::<Presented>() {
            Some(Presented::Operator) => Ok(Self(())),
            _ => {
                Err(Refusal::unauthorized("this takes the operator's token as Authorization: Bearer <token>")
                    .into())
            }
        })
    }
}
