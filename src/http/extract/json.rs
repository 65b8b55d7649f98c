//! JSON bodies. What cannot be read is 400 with the place it stands at; what can be read and is not allowed is the
//! handler's 422.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::domain::refusal::{Fault, Refusal};
use crate::http::middleware::body::RawBody;
use crate::http::problem::Problem;

/// Characters of a caller's own words that an answer repeats.
const ECHO: usize = 64;

/// A body that a route takes.
pub trait Form: DeserializeOwned {
    /// What is wrong with its shape that no field alone can tell.
    fn misshapen(&self) -> Vec<Fault> {
        vec![]
    }
}

/// A body, read.
#[derive(Debug)]
pub struct Json<F>(pub F);

/// 415 unless it is `application/json`, 400 when it cannot be read.
impl<F: Form> FromRequest for Json<F> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self).map_err(Problem::from))
    }
}

/// A body, read, or the default when there is none.
#[derive(Debug)]
pub struct JsonOrNothing<F>(pub F);

/// As [`Json`], unless the body is empty.
impl<F: Form + Default> FromRequest for JsonOrNothing<F> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_empty = request.extensions().get::<RawBody>().is_none_or(|body| body.0.is_empty());
        let form = if is_empty { Ok(F::default()) } else { read(request) };
        ready(form.map(Self).map_err(Problem::from))
    }
}

fn read<F: Form>(request: &HttpRequest) -> Result<F, Refusal> {
    let plain = request.headers().get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if !plain || !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::unsupported_media_type());
    }
    let body = request.extensions().get::<RawBody>().cloned().unwrap_or_default();
    let form: F = parse(&body.0)?;
    match form.misshapen() {
        faults if faults.is_empty() => Ok(form),
        faults => Err(malformed(faults)),
    }
}

/// A `T` written as an object. On its own serde also takes an array of the fields in order, which nobody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads a body, or says where it cannot be read. Repeats no value, only names of fields.
pub fn parse<F: DeserializeOwned>(body: &[u8]) -> Result<F, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let Object(form) = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| malformed(vec![fault(error.path(), error.inner())]))?;
    reader.end().map_err(|error| malformed(vec![syntax(&error)]))?;
    Ok(form)
}

fn malformed(faults: Vec<Fault>) -> Refusal {
    let detail = match faults.as_slice() {
        [one] if one.pointer.is_empty() => one.detail.clone(),
        [one] => format!("{}: {}", one.pointer, one.detail),
        many => format!("{} fields cannot be read; see errors", many.len()),
    };
    Refusal::malformed(detail, faults)
}

fn syntax(error: &serde_json::Error) -> Fault {
    let detail = format!("the body is not JSON: line {}, column {}", error.line(), error.column());
    Fault::new("", "wrong_type", detail)
}

fn fault(path: &Path, error: &serde_json::Error) -> Fault {
    if error.classify() != Category::Data {
        return syntax(error);
    }
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let at = pointer(path);
    if let Some(rest) = said.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`');
        return Fault::new(format!("{at}/{}", escaped(name)), "missing", "this field is required");
    }
    if let Some(rest) = said.strip_prefix("duplicate field `") {
        let name = rest.trim_end_matches('`');
        return Fault::new(format!("{at}/{}", escaped(name)), "not_allowed", "given twice");
    }
    // serde says "unknown field `x`, expected one of …"; the path already ends in the field.
    let expected = said.rsplit_once("expected ").map(|(_, expected)| expected);
    let (code, detail) = if let Some(rest) = said.strip_prefix("unknown field `") {
        let name: String = rest.split('`').next().unwrap_or_default().chars().take(ECHO).collect();
        let known =
            expected.map_or_else(|| "there are none here".to_owned(), |known| format!("expected {known}"));
        ("unknown_field", format!("unknown field {name}: {known}"))
    } else if said.starts_with("unknown variant") {
        ("not_allowed", format!("expected {}", expected.unwrap_or("another word")))
    } else if said.starts_with("invalid type") {
        ("wrong_type", format!("expected {}", expected.unwrap_or("another type")))
    } else if said.starts_with("invalid value") {
        ("out_of_range", format!("expected {}", expected.unwrap_or("another value")))
    } else {
        // Our own types say what they expect, and never what they got.
        ("wrong_type", said.to_owned())
    };
    Fault::new(at, code, detail)
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { variant } => text.push_str(&format!("/{}", escaped(variant))),
            Segment::Unknown => (),
        }
    }
    text
}

fn escaped(name: &str) -> String {
    let name: String = name.chars().take(ECHO).collect();
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::SessionId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        count: u8,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        inner: Vec<Object<Inner>>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        session: Option<SessionId>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        word: Word,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Yes,
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        for (body, pointer, code) in [
            ("", "", "wrong_type"),
            ("{", "", "wrong_type"),
            ("{} {}", "/count", "missing"),
            (r#"{"count":1} {}"#, "", "wrong_type"),
            ("[1]", "", "wrong_type"),
            (r#"{"count":1,"inner":[["yes"]]}"#, "/inner/0", "wrong_type"),
            (r#""secret""#, "", "wrong_type"),
            (r#"{"count":"secret"}"#, "/count", "wrong_type"),
            (r#"{"count":1.5}"#, "/count", "wrong_type"),
            (r#"{"count":256}"#, "/count", "out_of_range"),
            (r#"{"count":-1}"#, "/count", "out_of_range"),
            (r#"{"count":1,"count":2}"#, "/count", "not_allowed"),
            (r#"{"count":1,"other":"secret"}"#, "/other", "unknown_field"),
            (r#"{"count":1,"a/b~c":1}"#, "/a~1b~0c", "unknown_field"),
            (r#"{"count":1,"inner":[{"word":"yes"},{"word":"secret"}]}"#, "/inner/1/word", "not_allowed"),
            (r#"{"count":1,"inner":[{}]}"#, "/inner/0/word", "missing"),
            (r#"{"count":1,"inner":[{"word":"yes","x":1}]}"#, "/inner/0/x", "unknown_field"),
            (r#"{"count":1,"session":"secret"}"#, "/session", "wrong_type"),
        ] {
            let refusal = parse::<Outer>(body.as_bytes()).expect_err(body);
            let fault = &refusal.faults[0];
            assert_eq!(
                (refusal.status, &*fault.pointer, fault.code),
                (400, pointer, code),
                "{body}: {fault:?}"
            );
            assert!(
                !refusal.detail.contains("secret") && !fault.detail.contains("secret"),
                "{body}: {fault:?}"
            );
        }
        let refusal = parse::<Outer>(br#"{"count":1,"other":2}"#).expect_err("unknown");
        assert!(
            refusal.detail.contains("other") && refusal.detail.contains("`session`"),
            "{}",
            refusal.detail
        );
    }

    #[test]
    fn a_long_name_is_not_repeated_in_full() {
        let body = format!(r#"{{"count":1,"{}":1}}"#, "x".repeat(10_000));
        let refusal = parse::<Outer>(body.as_bytes()).expect_err("unknown");
        assert!(refusal.detail.len() < 400, "{}", refusal.detail.len());
    }
}
