//! An operator who names a tenant calls on its behalf. What they ask for is written down before anything is done, under their
//! own name.

use std::str::FromStr;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};

use super::refused_operators::{PATH, note};
use crate::domain::audit::{Act, Action};
use crate::domain::id::{LookId, TenantId};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::extract::operator::actor;
use crate::http::presented::{Acting, Presented};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::tenancy::permission::Permission;

const TENANT: &str = "columba-tenant";
const LOOK: &str = "columba-look";
/// A ticket shows what reading shows, and a page asks for one whenever its connection was lost.
const TICKETS: &str = "/v1/feed/tickets";

/// On whose behalf an operator calls.
#[derive(Debug, Clone, Copy)]
pub struct Behalf {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether they see what its people wrote.
    pub has_look: bool,
}

/// Finds out on whose behalf, leaves that to the extractors, and writes down what is more than reading. Anybody but an
/// operator passes: a key speaks for its own tenant.
pub async fn on_behalf<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let acting = match request.extensions().get::<Presented>() {
        Some(Presented::Operator(acting)) => Some(acting.clone()),
        _ => None,
    };
    let Some(acting) = acting.filter(|_| request.headers().contains_key(TENANT)) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let state = super::state(&request);
    let behalf = match found(request.headers(), &acting, &state) {
        Ok(behalf) => behalf,
        Err(refusal) => return Ok(super::refuse(request, refusal)),
    };
    request.extensions_mut().insert(behalf);
    if acts(&request, &acting, behalf)
        && let Err(error) =
            state.audit.record(actor(request.request(), &acting.identity), asked(&request, behalf)).await
    {
        return Ok(super::refuse(request, Problem::from(error).refusal().clone()));
    }
    let response = next.call(request).await?.map_into_boxed_body();
    note(response).await
}

/// Whether it may do something: nobody with a look does, and no role that only reads.
fn acts(request: &ServiceRequest, acting: &Acting, behalf: Behalf) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) || request.path() == TICKETS;
    !reads && !behalf.has_look && acting.identity.role.may(Permission::RunSessions)
}

fn asked(request: &ServiceRequest, behalf: Behalf) -> Act {
    let path: String = request.path().chars().take(PATH).collect();
    Act::new(Action::OnBehalf, "call", format_args!("{} {path}", request.method())).of(behalf.tenant)
}

fn found(headers: &HeaderMap, acting: &Acting, state: &HttpState) -> Result<Behalf, Refusal> {
    let tenant: TenantId = one(headers, TENANT)?.ok_or_else(Refusal::not_found)?;
    if !state.directory.snapshot().tenants.contains_key(&tenant) {
        return Err(Refusal::not_found());
    }
    let has_look = match one::<LookId>(headers, LOOK)? {
        None => false,
        Some(id) => {
            let look = state.looks.find(id, acting, state.clock.wall());
            look.filter(|look| look.tenant == tenant).ok_or_else(Refusal::look_required)?;
            true
        }
    };
    Ok(Behalf { tenant, has_look })
}

/// 400 unless the header is there once at most, and an id of its kind.
fn one<T: FromStr<Err: ToString>>(headers: &HeaderMap, name: &'static str) -> Result<Option<T>, Refusal> {
    let mut given = headers.get_all(name);
    let Some(first) = given.next() else { return Ok(None) };
    let pointer = if name == TENANT { "Columba-Tenant" } else { "Columba-Look" };
    let wrong = |detail: String| {
        let fault = Fault::new(pointer, "not_allowed", detail.clone());
        Refusal::malformed(format!("{pointer}: {detail}"), vec![fault])
    };
    if given.next().is_some() {
        return Err(wrong("given twice".to_owned()));
    }
    let text = first.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|error: T::Err| wrong(error.to_string()))
}
