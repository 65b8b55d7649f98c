//! What a caller shows of itself. Judged once per request, before anything else is.

use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use subtle::ConstantTimeEq as _;

use super::cookie;
use super::origin::{Origin, Secured, is_ours};
use super::state::HttpState;
use crate::domain::person::SignIn;
use crate::domain::refusal::Refusal;
use crate::domain::scope::SystemScope;
use crate::tenancy::authenticate::{Identified, OperatorIdentity, Principal, authenticate, identify};
use crate::tenancy::operator::OperatorToken;
use crate::tenancy::sign_in::{csrf_of, recognised};

const CSRF: &str = "x-csrf-token";
/// A sign-in that was used is written down as often as this, at the most.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// What a caller shows of itself.
#[derive(Debug, Clone)]
pub enum Presented {
    /// Neither an `Authorization` header nor a cookie of ours.
    Nothing,
    /// The token of an operator, or the cookie of one who signed in.
    Operator(Acting),
    /// A token that was an operator's, and is refused now.
    Former(OperatorIdentity, Refusal),
    /// A good key.
    Tenant(Principal),
    /// Something else, or a key that is not served now.
    Refused(Refusal),
    /// A cookie that opens nothing any more.
    Stale,
    /// A cookie that would open, in a request that is not from a page of ours, or that cannot be judged now.
    Barred(Refusal),
}

/// An operator, and how they came in.
#[derive(Debug, Clone)]
pub struct Acting {
    /// Who.
    pub identity: OperatorIdentity,
    /// Where they are signed in; `None` for whoever shows a token.
    pub sign_in: Option<Box<SignedIn>>,
}

/// A sign-in whose cookie was shown.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Which.
    pub sign_in: SignIn,
    /// What its page sends besides.
    pub csrf: String,
}

impl Presented {
    /// Judges the `Authorization` header of a request, or else its cookie.
    pub async fn by(request: &ServiceRequest, origin: Origin, secured: Secured, state: &HttpState) -> Self {
        let headers = request.headers();
        if headers.contains_key(header::AUTHORIZATION) {
            return Self::by_header(headers, origin, state);
        }
        // A browser sends it with every picture of a page, too.
        let asks = request.path().starts_with("/v1/");
        match cookie::shown(headers, secured.0).filter(|_| asks) {
            Some(cookie) => Self::by_cookie(&cookie, request.method(), headers, state).await,
            None => Self::Nothing,
        }
    }

    /// Judges the `Authorization` header of a request that came from `origin`.
    pub fn by_header(headers: &HeaderMap, origin: Origin, state: &HttpState) -> Self {
        let mut given = headers.get_all(header::AUTHORIZATION);
        let first = given.next().and_then(|first| first.to_str().ok());
        let bearer = first.and_then(|text| text.split_once(' ')).filter(|_| given.next().is_none());
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Self::Refused(Refusal::unauthorized("send one header Authorization: Bearer <key>"));
        };
        let token = token.trim_matches(' ');
        if OperatorToken::resembles(token) {
            let snapshot = state.directory.snapshot();
            return match identify(&snapshot, &state.operator, token, state.clock.wall()) {
                Identified::Operator(identity) => Self::Operator(Acting { identity, sign_in: None }),
                Identified::Former(identity, refusal) => Self::Former(identity, refusal),
                Identified::Nobody(refusal) => Self::Refused(refusal),
            };
        }
        match authenticate(&state.directory.snapshot(), token, origin.0, state.clock.wall()) {
            Ok(principal) => Self::Tenant(principal),
            Err(refusal) => Self::Refused(refusal),
        }
    }

    async fn by_cookie(cookie: &str, method: &Method, headers: &HeaderMap, state: &HttpState) -> Self {
        let now = state.clock.wall();
        let sign_in = match state.people.sign_in(SystemScope, recognised(cookie)).await {
            Ok(Some(sign_in)) if sign_in.is_open(now) => sign_in,
            Ok(_) => return Self::Stale,
            Err(error) => {
                tracing::debug!(%error, "a cookie could not be judged");
                return Self::Barred(Refusal::unavailable("the store does not answer; try again"));
            }
        };
        let snapshot = state.directory.snapshot();
        let account = snapshot.operators.get(&sign_in.operator).filter(|account| account.is_live(now));
        let Some(account) = account else { return Self::Stale };
        let identity = OperatorIdentity { id: account.id, name: account.name.clone(), role: account.role };
        let csrf = csrf_of(cookie);
        if let Err(refusal) = from_our_page(method, headers, &csrf) {
            return Self::Barred(refusal);
        }
        if now.since(sign_in.seen_at) >= SEEN_EVERY
            && let Err(error) = state.people.seen(SystemScope, sign_in.id, now).await
        {
            // It ends earlier for that, which is no reason to refuse.
            tracing::debug!(%error, "that a sign-in was used is not written");
        }
        Self::Operator(Acting { identity, sign_in: Some(Box::new(SignedIn { sign_in, csrf })) })
    }

    /// Whether it is a key, token or cookie that does not count: made up, revoked or expired.
    pub fn is_bad_key(&self) -> bool {
        match self {
            Self::Refused(refusal) | Self::Former(_, refusal) => refusal.status == 401,
            Self::Stale => true,
            Self::Nothing | Self::Operator(_) | Self::Tenant(_) | Self::Barred(_) => false,
        }
    }
}

/// 403 for what changes something and is not asked for by a page of ours: a browser sends the cookie along, whoever's page asks.
fn from_our_page(method: &Method, headers: &HeaderMap, csrf: &str) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    if is_ours(headers) != Some(true) {
        return Err(Refusal::forbidden(
            "a cookie counts for pages of this server only; programs use a token",
        ));
    }
    let shown = headers.get(CSRF).map(|value| value.as_bytes()).unwrap_or_default();
    if !bool::from(shown.ct_eq(csrf.as_bytes())) {
        return Err(Refusal::forbidden("send the header X-CSRF-Token, as GET /v1/admin/me has it"));
    }
    Ok(())
}
