//! Which operator, and whether they may. Anything but an operator is 401: a tenant's key learns nothing here. A handler that
//! takes an [`Operator`] of some need cannot be reached by a role that lacks the permission.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::domain::audit::Actor;
use crate::domain::id::KeyId;
use crate::domain::refusal::Refusal;
use crate::http::middleware::request_id::RequestId;
use crate::http::origin::Origin;
use crate::http::presented::Presented;
use crate::http::problem::Problem;
use crate::ports::directory::Directory;
use crate::tenancy::authenticate::OperatorIdentity;
use crate::tenancy::permission::Permission;

/// What a route needs of an operator.
pub trait Need: 'static {
    /// What their role must allow.
    const PERMISSION: Permission;
}

/// What routes need of operators, by the names of [`Permission`].
pub mod may {
    use super::{Need, Permission};

    macro_rules! needs {
        ($($name:ident),*) => {$(
            #[doc = concat!("[`Permission::", stringify!($name), "`].")]
            #[derive(Debug)]
            pub struct $name;

            impl Need for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )*};
    }

    needs!(
        Read,
        RunSessions,
        Look,
        ManageTenants,
        ManageKeys,
        ManagePlans,
        ManageMoney,
        ManageOperators,
        ManageSystem
    );
}

/// An operator whose role allows `N`; what only reads does not say so.
#[derive(Debug)]
pub struct Operator<N: Need = may::Read> {
    actor: Actor,
    need: PhantomData<N>,
}

impl<N: Need> Operator<N> {
    /// Who acts, and from where.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The directory, in which what is written from now on is this operator's.
    pub fn signs(&self, directory: &Arc<dyn Directory>) -> Arc<dyn Directory> {
        Arc::clone(directory).signed(self.actor.clone())
    }
}

/// The operator as the audit names them.
pub fn actor(request: &HttpRequest, identity: &OperatorIdentity) -> Actor {
    Actor {
        id: Some(identity.id),
        name: identity.name.clone(),
        address: Origin::found(request).0,
        request_id: request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()),
    }
}

/// A tenant's key as the audit names it.
pub fn key_actor(request: &HttpRequest, key: KeyId) -> Actor {
    named_actor(request, key.to_string())
}

/// Whoever else has a name, such as a payment provider.
pub fn named_actor(request: &HttpRequest, name: String) -> Actor {
    Actor {
        id: None,
        name,
        address: Origin::found(request).0,
        request_id: request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()),
    }
}

/// 401 for anybody else; 403 for an operator whose role does not allow it.
impl<N: Need> FromRequest for Operator<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let judged = match request.extensions().get::<Presented>() {
            Some(Presented::Operator(identity)) => {
                identity.role.require(N::PERMISSION).map(|()| identity.clone())
            }
            Some(Presented::Former(_, refusal)) => Err(refusal.clone()),
            _ => {
                Err(Refusal::unauthorized("this takes an operator's token as Authorization: Bearer <token>"))
            }
        };
        let known = |identity| Self { actor: actor(request, &identity), need: PhantomData };
        ready(judged.map(known).map_err(Problem::from))
    }
}
