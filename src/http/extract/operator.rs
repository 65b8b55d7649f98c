//! Which operator. Anything but an operator's token is 401: a tenant's key learns nothing here.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
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

/// A caller who showed an operator's token, and may do with it what the method does.
#[derive(Debug, Clone)]
pub struct Operator(Actor);

impl Operator {
    /// Who acts, and from where.
    pub fn actor(&self) -> &Actor {
        &self.0
    }

    /// The directory, in which what is written from now on is this operator's.
    pub fn signs(&self, directory: &Arc<dyn Directory>) -> Arc<dyn Directory> {
        Arc::clone(directory).signed(self.0.clone())
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

/// 401 for anybody else; 403 for a viewer who wants to do more than read.
impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let judged = match request.extensions().get::<Presented>() {
            Some(Presented::Operator(identity)) => {
                let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                let may = if reads { Ok(()) } else { identity.require_owner() };
                may.map(|()| identity.clone())
            }
            Some(Presented::Former(_, refusal)) => Err(refusal.clone()),
            _ => {
                Err(Refusal::unauthorized("this takes an operator's token as Authorization: Bearer <token>"))
            }
        };
        ready(judged.map(|identity| Self(actor(request, &identity))).map_err(Problem::from))
    }
}
