//! What a caller shows of itself. Judged once per request, before anything else is.

use actix_web::http::header::{self, HeaderMap};

use super::state::HttpState;
use crate::domain::refusal::Refusal;
use crate::tenancy::authenticate::{Principal, authenticate};
use crate::tenancy::operator::OperatorToken;

/// What a caller shows of itself.
#[derive(Debug, Clone)]
pub enum Presented {
    /// No `Authorization` header.
    Nothing,
    /// The operator's token.
    Operator,
    /// A good key.
    Tenant(Principal),
    /// Something else, or a key that is not served now.
    Refused(Refusal),
}

impl Presented {
    /// Judges the `Authorization` header.
    pub fn by(headers: &HeaderMap, state: &HttpState) -> Self {
        let mut given = headers.get_all(header::AUTHORIZATION);
        let Some(first) = given.next() else { return Self::Nothing };
        let bearer =
            first.to_str().ok().and_then(|text| text.split_once(' ')).filter(|_| given.next().is_none());
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Self::Refused(Refusal::unauthorized("send one header Authorization: Bearer <key>"));
        };
        let token = token.trim_matches(' ');
        if OperatorToken::resembles(token) {
            return if state.operator.is(token) {
                Self::Operator
            } else {
                Self::Refused(Refusal::unauthorized("this is not the operator's token"))
            };
        }
        match authenticate(&state.directory.snapshot(), token, state.clock.wall()) {
            Ok(principal) => Self::Tenant(principal),
            Err(refusal) => Self::Refused(refusal),
        }
    }

    /// Whether it is a key that does not count: made up, revoked or expired.
    pub fn is_bad_key(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 401)
    }
}
