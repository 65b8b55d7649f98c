//! `/livez` and `/readyz`. Answered to anybody; they tell nothing but yes or no.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::refusal::{Fault, Refusal};
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;

#[derive(Serialize, JsonSchema)]
struct Health {
    /// `alive` or `ready`.
    status: &'static str,
    /// With `verbose`: every check, and `ok`; `degraded` for a part that is away and can be done without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, String>")]
    checks: Option<BTreeMap<&'static str, &'static str>>,
}

/// `?verbose`.
#[derive(Debug)]
pub struct Verbose(bool);

impl Parameters for Verbose {
    fn take(given: &mut Given) -> Self {
        Self(given.text("verbose").is_some_and(|text| text != "false"))
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::new::<String>("verbose", "Lists the checks, unless it is `false`.", "true")]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/livez", livez).named("getLiveness", "Whether the process lives").answering(
            200,
            "It does.",
            &Health { status: "alive", checks: None },
        ),
        get("/readyz", readyz)
            .named("getReadiness", "Whether requests are accepted")
            .about("Sessions may still be restoring.")
            .answering(
                200,
                "They are.",
                &Health { status: "ready", checks: Some(BTreeMap::from([("accepting", "ok")])) },
            ),
    ]
}

/// Mounts both.
pub fn routes(scope: &mut web::ServiceConfig) {
    let at = |path: &str| web::resource(path.to_owned());
    scope.service(at("/livez").route(web::get().to(livez)).route(web::head().to(livez)));
    scope.service(at("/readyz").route(web::get().to(readyz)).route(web::head().to(readyz)));
}

async fn livez(_: Query<Nothing>) -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "alive", checks: None })
}

/// Whether requests are accepted; sessions may still be restoring.
async fn readyz(state: State, Query(Verbose(verbose)): Query<Verbose>) -> Answer {
    let report = state.gate.report();
    if report.iter().all(|&(_, passes)| passes) {
        let spares = state.gate.spares();
        let spares = spares.iter().map(|&(part, is_there)| (part, if is_there { "ok" } else { "degraded" }));
        let checks = verbose.then(|| report.iter().map(|&(check, _)| (check, "ok")).chain(spares).collect());
        return ok(Health { status: "ready", checks });
    }
    let mut refusal = Refusal::unavailable("not ready");
    if verbose {
        let fault = |&(check, passes): &(&'static str, bool)| {
            Fault::new(
                check,
                if passes { "ok" } else { "failing" },
                if passes { "passes" } else { "does not pass" },
            )
        };
        refusal.faults = report.iter().map(fault).collect();
    }
    Err(refusal.into())
}
