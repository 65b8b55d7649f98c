//! What a caller shows of itself. Judged once per request, before anything else is.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

use super::state::HttpState;
use crate::domain::refusal::Refusal;
use crate::tenancy::authenticate::{Identified, OperatorIdentity, Principal, authenticate, identify};
use crate::tenancy::operator::OperatorToken;

/// What a caller shows of itself.
#[derive(Debug, Clone)]
pub enum Presented {
    /// No `Authorization` header.
    Nothing,
    /// The token of an operator.
    Operator(OperatorIdentity),
    /// A token that was an operator's, and is refused now.
    Former(OperatorIdentity, Refusal),
    /// A good key.
    Tenant(Principal),
    /// Something else, or a key that is not served now.
    Refused(Refusal),
}

impl Presented {
    /// Judges the `Authorization` header of a request that came `from` an address.
    pub fn by(headers: &HeaderMap, from: Option<IpAddr>, state: &HttpState) -> Self {
        let mut given = headers.get_all(header::AUTHORIZATION);
        let Some(first) = given.next() else { return Self::Nothing };
        let bearer =
            first.to_str().ok().and_then(|text| text.split_once(' ')).filter(|_| given.next().is_none());
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Self::Refused(Refusal::unauthorized("send one header Authorization: Bearer <key>"));
        };
        let token = token.trim_matches(' ');
        if OperatorToken::resembles(token) {
            let snapshot = state.directory.snapshot();
            return match identify(&snapshot, &state.operator, token, state.clock.wall()) {
                Identified::Operator(identity) => Self::Operator(identity),
                Identified::Former(identity, refusal) => Self::Former(identity, refusal),
                Identified::Nobody(refusal) => Self::Refused(refusal),
            };
        }
        match authenticate(&state.directory.snapshot(), token, from, state.clock.wall()) {
            Ok(principal) => Self::Tenant(principal),
            Err(refusal) => Self::Refused(refusal),
        }
    }

    /// Whether it is a key or token that does not count: made up, revoked or expired.
    pub fn is_bad_key(&self) -> bool {
        matches!(self, Self::Refused(refusal) | Self::Former(_, refusal) if refusal.status == 401)
    }
}
