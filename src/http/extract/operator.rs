//! Which operator, and whether they may. Anything but an operator is 401: a tenant's key learns nothing here. A handler that
//! takes an [`Operator`] of some need cannot be reached by a role that lacks the permission.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::domain::audit::Actor;
use crate::domain::refusal::Refusal;
use crate::http::extract::State;
use crate::http::middleware::request_id::RequestId;
use crate::http::origin::Origin;
use crate::http::presented::{Acting, Presented, SignedIn};
use crate::http::problem::Problem;
use crate::ports::directory::Directory;
use crate::tenancy::authenticate::OperatorIdentity;
use crate::tenancy::permission::Permission;

/// What a route needs of an operator.
pub trait Need: 'static {
    /// What their role must allow.
    const PERMISSION: Permission;
    /// Whether somebody who signed in has to have given their password lately: it destroys or reveals.
    const AFRESH: bool = false;
}

/// What routes need of operators, by the names of [`Permission`].
pub mod may {
    use std::marker::PhantomData;

    use super::{Need, Permission};

    /// `N`, and the password given anew by whoever signed in.
    #[derive(Debug)]
    pub struct Afresh<N>(PhantomData<N>);

    impl<N: Need> Need for Afresh<N> {
        const PERMISSION: Permission = N::PERMISSION;
        const AFRESH: bool = true;
    }

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
    acting: Acting,
    need: PhantomData<N>,
}

impl<N: Need> Operator<N> {
    /// Who acts, and from where.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Who exactly, and how they came in.
    pub fn acting(&self) -> &Acting {
        &self.acting
    }

    /// The directory, in which what is written from now on is this operator's.
    pub fn signs(&self, directory: &Arc<dyn Directory>) -> Arc<dyn Directory> {
        Arc::clone(directory).signed(self.actor.clone())
    }
}

/// Somebody who signed in, on their own behalf: every role may, and a token is nobody's own.
#[derive(Debug)]
pub struct Myself {
    /// Who acts, and from where.
    pub actor: Actor,
    /// Who exactly.
    pub identity: OperatorIdentity,
    /// Where they are signed in.
    pub here: Box<SignedIn>,
}

/// 401 for anybody who has not signed in.
impl FromRequest for Myself {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let known = Operator::<may::Read>::from_request(request, payload).into_inner();
        ready(known.and_then(|Operator { actor, acting: Acting { identity, sign_in }, .. }| match sign_in {
            Some(here) => Ok(Self { actor, identity, here }),
            None => Err(
                Refusal::unauthorized("this is for people who signed in; a token is not one's own").into(),
            ),
        }))
    }
}

/// 403 for somebody who signed in and has not given their password lately. A token is as good as it ever was.
pub fn fresh_enough(request: &HttpRequest, acting: &Acting) -> Result<(), Refusal> {
    let state = request.app_data::<State>().expect("the routes are mounted beside their state");
    let is_fresh = |here: &SignedIn| state.clock.wall() < here.sign_in.stepped_up_until();
    if acting.sign_in.as_deref().is_none_or(is_fresh) { Ok(()) } else { Err(Refusal::step_up_required()) }
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
            Some(Presented::Operator(acting)) => {
                let may = acting.identity.role.require(N::PERMISSION);
                let afresh = || if N::AFRESH { fresh_enough(request, acting) } else { Ok(()) };
                may.and_then(|()| afresh()).map(|()| acting.clone())
            }
            Some(Presented::Former(_, refusal) | Presented::Barred(refusal)) => Err(refusal.clone()),
            Some(Presented::Stale) => {
                Err(Refusal::unauthorized("you are no longer signed in; sign in again"))
            }
            _ => Err(Refusal::unauthorized(
                "this takes an operator: sign in, or send a token as Authorization: Bearer <token>",
            )),
        };
        let known =
            |acting: Acting| Self { actor: actor(request, &acting.identity), acting, need: PhantomData };
        ready(judged.map(known).map_err(Problem::from))
    }
}
