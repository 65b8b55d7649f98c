//! Stop 2: on whose behalf. A handler that takes a [`Tenant`] cannot be reached without a key that has its scope.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::domain::id::TenantId;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::tenant::KeyScope;
use crate::http::presented::Presented;
use crate::http::problem::Problem;
use crate::tenancy::authenticate::Principal;

/// What a route needs of a key.
pub trait Need: 'static {
    /// The scope it must have.
    const SCOPE: KeyScope;
}

/// Reading.
#[derive(Debug)]
pub struct Read;
/// Sending and canceling.
#[derive(Debug)]
pub struct Send;
/// Acting on sessions, and playing with the sandbox.
#[derive(Debug)]
pub struct Session;

impl Need for Read {
    const SCOPE: KeyScope = KeyScope::Read;
}

impl Need for Send {
    const SCOPE: KeyScope = KeyScope::Send;
}

impl Need for Session {
    const SCOPE: KeyScope = KeyScope::Session;
}

/// A tenant's caller whose key may do `N`.
#[derive(Debug)]
pub struct Tenant<N: Need> {
    principal: Principal,
    need: PhantomData<N>,
}

impl<N: Need> Tenant<N> {
    /// On whose behalf stores are asked.
    pub fn scope(&self) -> TenantScope {
        self.principal.scope
    }

    /// Which tenant.
    pub fn id(&self) -> TenantId {
        self.principal.scope.tenant()
    }

    /// Who exactly.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// 401 without a good key, 403 with one that may not do this or whose tenant is suspended.
impl<N: Need> FromRequest for Tenant<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let judged = match request.extensions().get::<Presented>() {
            Some(Presented::Tenant(principal)) => {
                principal.require(N::SCOPE).map(|()| Self { principal: principal.clone(), need: PhantomData })
            }
            Some(Presented::Refused(refusal) | Presented::Former(_, refusal)) => Err(refusal.clone()),
            Some(Presented::Operator(_)) => Err(Refusal::unauthorized(
                "an operator's token opens /v1/admin only; use a tenant's key here",
            )),
            Some(Presented::Nothing) | None => {
                Err(Refusal::unauthorized("send the header Authorization: Bearer <key>"))
            }
        };
        ready(judged.map_err(Problem::from))
    }
}
