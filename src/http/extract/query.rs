//! Query parameters. All that is wrong with them is said at once, and unknown ones are refused by name.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use crate::domain::page::Page;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::cursor;
use crate::http::openapi::parameter::Parameter;
use crate::http::problem::Problem;

/// Rows of a page, if it is not said.
pub const DEFAULT_LIMIT: u32 = 50;
/// Rows of a page at most.
pub const MAX_LIMIT: u32 = 200;
/// Characters of a caller's own words that an answer repeats.
const ECHO: usize = 64;

/// What a route takes from its query.
pub trait Parameters: Sized {
    /// Takes its parameters; what is wrong is noted in `given`, and the value then does not matter.
    fn take(given: &mut Given) -> Self;

    /// The same parameters, for the API's description.
    fn described() -> Vec<Parameter> {
        vec![]
    }
}

/// The parameters of a route.
#[derive(Debug)]
pub struct Query<P>(pub P);

/// A route that takes none.
#[derive(Debug)]
pub struct Nothing;

impl Parameters for Nothing {
    fn take(_: &mut Given) -> Self {
        Self
    }
}

impl Parameters for Page {
    fn take(given: &mut Given) -> Self {
        given.page()
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor()]
    }
}

/// The parameters a caller gave, until somebody takes them.
#[derive(Debug)]
pub struct Given {
    rest: Vec<(String, String)>,
    faults: Vec<Fault>,
    /// Names that were asked for, if anybody wants to know.
    asked: Option<BTreeSet<String>>,
}

impl Given {
    /// The parameters that a route takes.
    pub fn names_taken_by<P: Parameters>() -> BTreeSet<String> {
        let mut given = Self { rest: vec![], faults: vec![], asked: Some(BTreeSet::new()) };
        P::take(&mut given);
        given.asked.unwrap_or_default()
    }

    /// Whether the parameter was given.
    pub fn has(&self, name: &str) -> bool {
        self.rest.iter().any(|(given, _)| given == name)
    }

    /// The parameter's text; a fault when it was given twice.
    pub fn text(&mut self, name: &str) -> Option<String> {
        if let Some(asked) = &mut self.asked {
            asked.insert(name.to_owned());
        }
        let at = self.rest.iter().position(|(given, _)| given == name)?;
        let (_, text) = self.rest.remove(at);
        if self.has(name) {
            self.rest.retain(|(given, _)| given != name);
            self.wrong(name, "not_allowed", "given twice");
        }
        Some(text)
    }

    /// The parameter as a `T`; a fault with what was expected when it is none.
    pub fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.reads(name, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// The parameter as `read` takes it; a fault with what `read` says.
    pub fn reads<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.wrong(name, "not_allowed", detail);
                None
            }
        }
    }

    /// The parameter as one word of a closed list.
    pub fn word<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        self.reads(name, |text| text.parse().map_err(|_| format!("expected one of {expected}")))
    }

    /// Rows wanted: 1 to 200, 50 if it is not said.
    pub fn limit(&mut self) -> u32 {
        let read = |text: &str| {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or_else(|| format!("expected a number from 1 to {MAX_LIMIT}"))
        };
        self.reads("limit", read).unwrap_or(DEFAULT_LIMIT)
    }

    /// `limit` and `cursor` of a list that is sorted by id.
    pub fn page(&mut self) -> Page {
        let limit = self.limit();
        let before = self.reads("cursor", |text| cursor::id(text).ok_or_else(not_a_cursor));
        Page { limit, before }
    }

    /// Notes a fault of the parameter `name`.
    pub fn wrong(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::new(format!("?{name}"), code, detail));
    }
}

/// What to say of a cursor that is none.
pub fn not_a_cursor() -> String {
    "expected the next_cursor of an earlier page".to_owned()
}

/// The decoded parameters of a query string.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    web::Query::from_query(query).map(web::Query::into_inner).unwrap_or_default()
}

/// 400 with every fault.
impl<P: Parameters> FromRequest for Query<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut given = Given { rest: pairs(request.query_string()), faults: vec![], asked: None };
        let parameters = P::take(&mut given);
        for (name, _) in std::mem::take(&mut given.rest) {
            let name: String = name.chars().take(ECHO).collect();
            given.wrong(&name, "unknown_field", "this route takes no such parameter");
        }
        ready(match given.faults.as_slice() {
            [] => Ok(Self(parameters)),
            [one] => {
                let detail = format!("{}: {}", one.pointer, one.detail);
                Err(Refusal::malformed(detail, given.faults).into())
            }
            many => {
                let detail = format!("{} query parameters are wrong; see errors", many.len());
                Err(Refusal::malformed(detail, given.faults).into())
            }
        })
    }
}
