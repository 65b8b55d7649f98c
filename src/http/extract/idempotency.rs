//! `Idempotency-Key`: the same request twice is one effect.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::idempotency::Idempotency;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::in_flight::{Flight, InFlight, Owner};
use crate::http::middleware::body::RawBody;
use crate::http::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// What the caller put into `Idempotency-Key`, if anything.
#[derive(Debug)]
pub struct Idempotent(pub Option<Idempotency>);

impl Idempotent {
    /// Marks the request as under way, if it has a key; 409 while another with the same key is.
    pub fn enter(&self, in_flight: &InFlight, owner: Owner) -> Result<Option<Flight>, Refusal> {
        self.0.as_ref().map(|idempotency| in_flight.enter(owner, &idempotency.key)).transpose()
    }

    /// Names the request to somebody who makes the same twice one effect by himself: the same name each time a key comes, and
    /// a new one for a request without a key.
    pub fn name(&self, owner: Owner) -> String {
        let Some(idempotency) = &self.0 else { return Uuid::new_v4().simple().to_string() };
        let owner = match owner {
            Owner::Tenant(tenant) => tenant.to_string(),
            Owner::Operator => String::new(),
        };
        Sha256::digest(format!("{owner}/{}", idempotency.key))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// 400 unless it is given once, as 1 to 255 visible ASCII characters.
impl FromRequest for Idempotent {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self).map_err(Problem::from))
    }
}

fn read(request: &HttpRequest) -> Result<Option<Idempotency>, Refusal> {
    let mut given = request.headers().get_all(HEADER);
    let Some(first) = given.next() else { return Ok(None) };
    let visible = |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let key = first.to_str().ok().filter(visible).filter(|_| given.next().is_none());
    let Some(key) = key else {
        let detail = "expected one header of 1 to 255 visible ASCII characters";
        let fault = Fault::new("Idempotency-Key", "not_allowed", detail);
        return Err(Refusal::malformed(format!("Idempotency-Key: {detail}"), vec![fault]));
    };
    let body = request.extensions().get::<RawBody>().cloned().unwrap_or_default();
    Ok(Some(Idempotency { key: key.to_owned(), fingerprint: fingerprint(request, &body.0) }))
}

/// Length by length, so that no two requests run into one.
fn fingerprint(request: &HttpRequest, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [request.method().as_str().as_bytes(), request.path().as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
