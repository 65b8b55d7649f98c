//! What the arguments of a handler say about its route. An extractor that refuses says so here, so a handler's
//! signature is most of its description and cannot be told wrong.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, web};
use schemars::JsonSchema;
use serde_json::json;

use super::parameter::Parameter;
use super::schemas::{SchemaOf, Schemas, asked};
use crate::domain::refusal::{Code, Refusal};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json, JsonOrNothing, parse};
use crate::http::extract::operator::{self, Myself, Operator};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Parameters, Query};
use crate::http::extract::tenant::{Need, Tenant};
use crate::http::extract::upload::Upload;
use crate::http::state::FeedState;
use crate::tenancy::behalf::Needs;
use crate::tenancy::permission::Permission;

/// What is known of a route.
#[derive(Default)]
pub struct Route {
    /// Ways to be let in, any of which will do: the scheme, and what it has to be good for.
    pub security: Vec<(&'static str, Option<String>)>,
    /// What it needs of an operator's role.
    pub permission: Option<Permission>,
    /// What it takes of an operator on a tenant's behalf.
    pub on_behalf: Option<Needs>,
    /// The form of the `{id}` in its path.
    pub id: Option<SchemaOf>,
    /// Its query.
    pub query: Vec<Parameter>,
    /// Parameters that it takes and does not describe, or the other way round.
    pub undescribed: Vec<String>,
    /// Whether it takes `Idempotency-Key`.
    pub idempotent: bool,
    /// Its body.
    pub body: Option<Body>,
    /// What it may refuse with.
    pub refusals: BTreeSet<(u16, Code)>,
}

/// A body that a route takes.
pub struct Body {
    /// As what it is sent.
    pub media: &'static str,
    /// Its form.
    pub schema: SchemaOf,
    /// Reads it as the route would.
    pub read: fn(&[u8]) -> Result<(), Refusal>,
    /// Whether it may not be left out.
    pub required: bool,
}

/// An argument of a handler.
pub trait Argument {
    /// Adds what it says about the route.
    fn tell(route: &mut Route);
}

macro_rules! silent {
    ($($argument:ty),* $(,)?) => {$(
        impl Argument for $argument {
            fn tell(_: &mut Route) {}
        }
    )*};
}

silent!(State, web::Data<FeedState>, web::Payload, HttpRequest);

impl<P: Parameters> Argument for Query<P> {
    fn tell(route: &mut Route) {
        route.refusals.insert((400, Code::InvalidRequest));
        route.query = P::described();
        let taken = Given::names_taken_by::<P>();
        let described: BTreeSet<_> = route.query.iter().map(|parameter| parameter.name.to_owned()).collect();
        route.undescribed = taken.symmetric_difference(&described).cloned().collect();
    }
}

impl Argument for Idempotent {
    fn tell(route: &mut Route) {
        route.idempotent = true;
        // 404: what the first request with this key made is gone.
        let said =
            [(404, Code::NotFound), (409, Code::IdempotencyInFlight), (422, Code::IdempotencyMismatch)];
        route.refusals.extend(said);
    }
}

impl<F: Form + JsonSchema> Argument for Json<F> {
    fn tell(route: &mut Route) {
        let read = |body: &[u8]| match parse::<F>(body)?.misshapen() {
            faults if faults.is_empty() => Ok(()),
            faults => Err(Refusal::malformed("the shape is wrong", faults)),
        };
        route.body = Some(Body { media: "application/json", schema: asked::<F>, read, required: true });
        let said =
            [(400, Code::InvalidRequest), (413, Code::PayloadTooLarge), (415, Code::UnsupportedMediaType)];
        route.refusals.extend(said);
    }
}

impl<F: Form + Default + JsonSchema> Argument for JsonOrNothing<F> {
    fn tell(route: &mut Route) {
        Json::<F>::tell(route);
        route.body = route.body.take().map(|body| Body { required: false, ..body });
    }
}

impl Argument for Upload {
    fn tell(route: &mut Route) {
        let schema = |_: &mut Schemas| json!({"type": "string", "format": "binary"});
        route.body =
            Some(Body { media: "application/octet-stream", schema, read: |_| Ok(()), required: true });
        let said =
            [(400, Code::InvalidRequest), (413, Code::PayloadTooLarge), (415, Code::UnsupportedMediaType)];
        route.refusals.extend(said);
    }
}

impl<N: Need> Argument for Tenant<N> {
    fn tell(route: &mut Route) {
        route.security.push(("tenant", Some(N::SCOPE.to_string())));
        route.security.extend([("operator", None), ("signed_in", None)]);
        route.on_behalf = Some(N::NEEDS);
        if N::NEEDS.content {
            route.refusals.insert((403, Code::LookRequired));
        }
        if N::AFRESH {
            route.refusals.insert((403, Code::StepUpRequired));
        }
        let said = [(401, Code::Unauthorized), (403, Code::Forbidden), (403, Code::TenantSuspended)];
        route.refusals.extend(said);
    }
}

impl<N: operator::Need> Argument for Operator<N> {
    fn tell(route: &mut Route) {
        route.security.extend([("operator", None), ("signed_in", None)]);
        route.permission = Some(N::PERMISSION);
        route.refusals.insert((401, Code::Unauthorized));
        // Every role may read.
        if N::PERMISSION != Permission::Read {
            route.refusals.insert((403, Code::Forbidden));
        }
        if N::AFRESH {
            route.refusals.insert((403, Code::StepUpRequired));
        }
    }
}

impl Argument for Myself {
    fn tell(route: &mut Route) {
        route.security.push(("signed_in", None));
        route.refusals.insert((401, Code::Unauthorized));
    }
}

impl<T: JsonSchema> Argument for Id<T> {
    fn tell(route: &mut Route) {
        route.id = Some(asked::<T>);
        route.refusals.insert((404, Code::NotFound));
    }
}

/// A handler, by the tuple of its arguments.
pub trait Signature<Arguments> {
    /// What its arguments say.
    fn route(&self) -> Route;
}

macro_rules! signatures {
    ($($argument:ident)*) => {
        impl<H, R, $($argument: Argument),*> Signature<($($argument,)*)> for H
        where
            H: Fn($($argument),*) -> R,
        {
            fn route(&self) -> Route {
                #[allow(unused_mut, reason = "a handler may take nothing")]
                let mut route = Route::default();
                $($argument::tell(&mut route);)*
                route
            }
        }
    };
}

signatures!();
signatures!(A);
signatures!(A B);
signatures!(A B C);
signatures!(A B C D);
signatures!(A B C D E);
signatures!(A B C D E F);
signatures!(A B C D E F G);
