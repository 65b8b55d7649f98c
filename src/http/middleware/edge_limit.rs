//! How much one caller may ask, and how many bad keys one address may show.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::config::http::EdgeLimits;
use crate::domain::id::{KeyId, OperatorId};
use crate::domain::refusal::Refusal;
use crate::http::cookie;
use crate::http::origin::{Origin, Secured};
use crate::http::presented::Presented;
use crate::ports::clock::Clock;
use crate::ports::edge::{EdgeBudget, Rate};
use crate::tenancy::authenticate::Principal;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
/// Callers remembered at once. Beyond, new ones share one place.
const CALLERS: usize = 100_000;
/// Requests between two clearings of those that have been quiet.
const CLEAR_EVERY: u32 = 4_096;

/// Whom a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A key.
    Key(KeyId),
    /// An operator.
    Operator(OperatorId),
    /// An address that shows no good key; of IPv6 its first 64 bits, which one household has.
    Address(IpAddr),
    /// Everybody beyond those who can be told apart.
    Crowd,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Operator(operator) => operator.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Crowd => f.write_str("crowd"),
        }
    }
}

/// The [`Clock`] of this server, as `governor` wants it.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now().0.saturating_mul(1_000_000))
    }
}

type Limiter = RateLimiter<Caller, DashMapStateStore<Caller>, Ticks, StateInformationMiddleware>;

/// What is left for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Requests at once.
    pub remaining: u32,
    /// Whole seconds until all of them are back.
    pub full_in_s: u64,
}

/// The limits of this process, and of all that serve the same store together.
pub struct EdgeLimit {
    limits: EdgeLimits,
    clock: Ticks,
    budget: Arc<dyn EdgeBudget>,
    requests: Limiter,
    bad_keys: Limiter,
    since_clearing: AtomicU32,
}

impl EdgeLimit {
    /// Nobody has asked for anything yet.
    pub fn new(limits: EdgeLimits, clock: Arc<dyn Clock>, budget: Arc<dyn EdgeBudget>) -> Self {
        let clock = Ticks(clock);
        let requests = Quota::per_second(limits.per_second).allow_burst(limits.burst);
        let bad_keys = Quota::per_minute(limits.bad_keys_per_minute);
        Self {
            limits,
            requests: RateLimiter::new(requests, DashMapStateStore::default(), clock.clone()),
            bad_keys: RateLimiter::new(bad_keys, DashMapStateStore::default(), clock.clone()),
            clock,
            budget,
            since_clearing: AtomicU32::new(0),
        }
    }

    /// Counts one request; 429 beyond the limit.
    pub async fn take(&self, caller: Caller) -> Result<Left, Refusal> {
        self.clear_now_and_then();
        let EdgeLimits { per_second, burst, .. } = self.limits;
        let taken = match self.requests.check_key(&room(&self.requests, caller)) {
            Ok(state) => {
                let rate = Rate { every: Duration::from_secs(1) / per_second.get(), burst: burst.get() };
                self.budget.take(&format!("{caller}"), rate).await.map(|()| state.remaining_burst_capacity())
            }
            Err(until) => Err(until.wait_time_from(governor::clock::Clock::now(&self.clock))),
        };
        match taken {
            Ok(remaining) => {
                let used = burst.get().saturating_sub(remaining);
                Ok(Left { remaining, full_in_s: used.div_ceil(per_second.get()).into() })
            }
            Err(wait) => {
                let detail = format!("at most {per_second} requests a second, {burst} at once after a pause");
                Err(Refusal::rate_limited(detail, wait))
            }
        }
    }

    /// Counts one bad key; 429 beyond the limit.
    pub async fn count_bad_key(&self, address: Caller) -> Result<(), Refusal> {
        let most = self.limits.bad_keys_per_minute.get();
        let counted = match self.bad_keys.check_key(&room(&self.bad_keys, address)) {
            Ok(_) => {
                let rate = Rate { every: Duration::from_secs(60) / most, burst: most };
                self.budget.take(&format!("bad keys of {address}"), rate).await
            }
            Err(until) => Err(until.wait_time_from(governor::clock::Clock::now(&self.clock))),
        };
        counted.map_err(|wait| Refusal::rate_limited("too many bad keys from this address", wait))
    }

    /// Callers remembered now, of requests and of bad keys.
    pub fn remembered(&self) -> [usize; 2] {
        [self.requests.len(), self.bad_keys.len()]
    }

    /// The policy, as the header says it.
    fn policy(&self) -> String {
        let EdgeLimits { per_second, burst, .. } = self.limits;
        format!("\"default\";q={burst};w={}", burst.get().div_ceil(per_second.get()))
    }

    fn clear_now_and_then(&self) {
        if self.since_clearing.fetch_add(1, Ordering::Relaxed) % CLEAR_EVERY == CLEAR_EVERY - 1 {
            self.requests.retain_recent();
            self.bad_keys.retain_recent();
        }
    }
}

/// A key's place is its own: keys are few, and made by the operator. Addresses come for free and may share one.
fn room(limiter: &Limiter, caller: Caller) -> Caller {
    match caller {
        Caller::Address(_) if limiter.len() >= CALLERS => Caller::Crowd,
        caller => caller,
    }
}

impl Caller {
    /// Whoever shows no good key.
    pub fn of(origin: Origin) -> Self {
        match origin.0 {
            Some(IpAddr::V6(address)) => {
                Self::Address(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into())
            }
            Some(address) => Self::Address(address),
            None => Self::Crowd,
        }
    }
}

/// Finds out who asks, counts it, and leaves the finding to the extractors. Health is answered to anybody.
pub async fn edge_limit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if matches!(request.path(), "/livez" | "/readyz") {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let state = super::state(&request);
    let peer = request.peer_addr().map(|peer| peer.ip());
    let origin = Origin::of(peer, request.headers(), &state.trusted_proxies);
    let secured = Secured::of(peer, request.headers(), &state.trusted_proxies);
    request.extensions_mut().insert(origin);
    request.extensions_mut().insert(secured);
    let presented = Presented::by(&request, origin, secured, &state).await;
    // A script cannot take back what it cannot see.
    let stale = matches!(presented, Presented::Stale);
    let caller = match &presented {
        Presented::Tenant(Principal { key: Some(key), .. }) => Caller::Key(*key),
        Presented::Operator(acting) => Caller::Operator(acting.identity.id),
        Presented::Nothing
        | Presented::Former(..)
        | Presented::Tenant(_)
        | Presented::Refused(_)
        | Presented::Stale
        | Presented::Barred(_) => Caller::of(origin),
    };
    let spoken = request.path().starts_with("/v1/");
    let bad = if presented.is_bad_key() { state.edge_limit.count_bad_key(caller).await } else { Ok(()) };
    let taken = match bad {
        Ok(()) => state.edge_limit.take(caller).await,
        Err(refusal) => Err(refusal),
    };
    let (left, mut response) = match taken {
        Ok(left) => {
            if let Presented::Tenant(Principal { key: Some(key), .. }) = &presented {
                state.key_use.note(*key, state.clock.wall());
            }
            request.extensions_mut().insert(presented);
            (left, next.call(request).await?.map_into_boxed_body())
        }
        Err(refusal) => {
            let wait = refusal.retry_after.unwrap_or(Duration::ZERO).as_millis().div_ceil(1_000).max(1);
            (Left { remaining: 0, full_in_s: wait as u64 }, super::refuse(request, refusal))
        }
    };
    if stale
        && !response.headers().contains_key(header::SET_COOKIE)
        && let Ok(value) = HeaderValue::from_str(&cookie::taken_back(secured.0))
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    if spoken {
        announce(response.headers_mut(), &state.edge_limit.policy(), left);
    }
    Ok(response)
}

/// The two structured fields of the IETF draft.
fn announce(headers: &mut HeaderMap, policy: &str, left: Left) {
    let now = format!("\"default\";r={};t={}", left.remaining, left.full_in_s);
    for (name, text) in [(POLICY, policy), (STATE, &now)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
}
