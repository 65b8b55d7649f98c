//! Stop 2: on whose behalf. A handler that takes a [`Tenant`] cannot be reached without a key that has its scope, or by an
//! operator whose role allows it and who names the tenant.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use super::operator::{actor, fresh_enough, named_actor};
use crate::domain::audit::Actor;
use crate::domain::id::TenantId;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::tenant::KeyScope;
use crate::http::middleware::on_behalf::Behalf;
use crate::http::presented::{Acting, Presented};
use crate::http::problem::Problem;
use crate::ports::tickets::Holder;
use crate::tenancy::authenticate::{OperatorIdentity, Principal};
use crate::tenancy::behalf::{Needs, stand_in};
use crate::tenancy::permission::Permission;

/// What a route needs of a key, or of an operator on the tenant's behalf.
pub trait Need: 'static {
    /// The scope the key must have.
    const SCOPE: KeyScope;
    /// What the operator must be allowed, and whether it acts or shows content.
    const NEEDS: Needs;
    /// Whether an operator who signed in has to have given their password lately: it destroys or reveals.
    const AFRESH: bool = false;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: $scope:ident, $permission:ident $($word:ident)*;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Need for $name {
            const SCOPE: KeyScope = KeyScope::$scope;
            const NEEDS: Needs = Needs {
                permission: Permission::$permission,
                acts: needs!(@has acts $($word)*),
                content: needs!(@has content $($word)*),
            };
            const AFRESH: bool = needs!(@has afresh $($word)*);
        }
    )*};
    (@has acts) => { false };
    (@has content) => { false };
    (@has afresh) => { false };
    (@has acts acts $($rest:ident)*) => { true };
    (@has content content $($rest:ident)*) => { true };
    (@has afresh afresh $($rest:ident)*) => { true };
    (@has $wanted:ident $other:ident $($rest:ident)*) => { needs!(@has $wanted $($rest)*) };
}

needs! {
    /// Reading. What people wrote is left out for an operator without a look.
    Read: Read, Read;
    /// Reading what is nothing but content.
    Content: Read, Look content;
    /// Reading a code that links a phone: whoever has it can take the account.
    LinkCode: Read, RunSessions acts;
    /// Sending and canceling.
    Send: Send, RunSessions acts;
    /// Taking away what was uploaded, and deciding who is not written to.
    Keep: Send, ManageTenants acts;
    /// Acting on sessions, and playing with the sandbox.
    Session: Session, RunSessions acts;
    /// Making sessions, and changing endpoints.
    Configure: Session, ManageTenants acts;
    /// Destroying credentials.
    Destroy: Session, ManageTenants acts afresh;
    /// Making what an endpoint's requests are signed with.
    Secret: Session, ManageTenants acts afresh;
    /// Making links to pay.
    Pay: Session, ManageMoney acts;
}

/// A tenant's caller who may do `N`.
#[derive(Debug)]
pub struct Tenant<N: Need> {
    principal: Principal,
    /// Who acts on the tenant's behalf, if it is not the tenant.
    operator: Option<OperatorIdentity>,
    sees_content: bool,
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

    /// Whether what people wrote is shown to them.
    pub fn sees_content(&self) -> bool {
        self.sees_content
    }

    /// Who listens to the tenant's feed: whoever is shut out later hears no more.
    pub fn holder(&self) -> Result<Holder, Refusal> {
        match (&self.operator, self.principal.key) {
            (Some(identity), _) => Ok(Holder::Operator(identity.id)),
            (None, Some(key)) => Ok(Holder::Key(key)),
            (None, None) => Err(Refusal::unauthorized("the feed takes a key or a ticket")),
        }
    }

    /// Who acts, as the audit names them: the operator, or the key.
    pub fn actor(&self, request: &HttpRequest) -> Actor {
        match (&self.operator, self.principal.key) {
            (Some(identity), _) => actor(request, identity),
            (None, key) => named_actor(request, key.map(|key| key.to_string()).unwrap_or_default()),
        }
    }
}

fn on_behalf<N: Need>(request: &HttpRequest, acting: &Acting) -> Result<Tenant<N>, Refusal> {
    let behalf = request.extensions().get::<Behalf>().copied().ok_or_else(|| {
        Refusal::unauthorized(
            "an operator's token opens /v1/admin; use a tenant's key here, or name the tenant in the header Columba-Tenant",
        )
    })?;
    let principal = stand_in(acting.identity.role, behalf.tenant, behalf.has_look, N::NEEDS)?;
    if N::AFRESH {
        fresh_enough(request, acting)?;
    }
    let operator = Some(acting.identity.clone());
    Ok(Tenant { principal, operator, sees_content: behalf.has_look, need: PhantomData })
}

/// 401 without a good key, 403 with one that may not do this or whose tenant is suspended; for operators as their role and their
/// look allow.
impl<N: Need> FromRequest for Tenant<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = request.extensions().get::<Presented>().cloned();
        let judged = match presented {
            Some(Presented::Tenant(principal)) => principal.require(N::SCOPE).map(|()| Self {
                principal,
                operator: None,
                sees_content: true,
                need: PhantomData,
            }),
            Some(
                Presented::Refused(refusal) | Presented::Former(_, refusal) | Presented::Barred(refusal),
            ) => Err(refusal),
            Some(Presented::Operator(acting)) => on_behalf(request, &acting),
            Some(Presented::Nothing | Presented::Stale) | None => {
                Err(Refusal::unauthorized("send the header Authorization: Bearer <key>"))
            }
        };
        ready(judged.map_err(Problem::from))
    }
}
