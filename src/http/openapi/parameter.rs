//! Query parameters, as a route that takes them describes them.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::sample;
use super::schemas::{SchemaOf, Schemas, asked, settle};
use crate::http::cursor;
use crate::http::extract::query::{DEFAULT_LIMIT, MAX_LIMIT};

const CURSOR: &str = "Where to go on: the `next_cursor` of the page before. Opaque.";

/// One query parameter.
#[derive(Clone)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    about: &'static str,
    required: bool,
    example: Value,
    schema: SchemaOf,
    /// The name under which several routes share it.
    pub shared: Option<&'static str>,
}

impl Parameter {
    /// An optional one that is read as a `T`.
    pub fn new<T: JsonSchema>(name: &'static str, about: &'static str, example: impl Into<Value>) -> Self {
        Self { name, about, required: false, example: example.into(), schema: asked::<T>, shared: None }
    }

    /// The same, without which the route refuses.
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// `limit`, which every list takes.
    pub fn limit() -> Self {
        let schema = |_: &mut Schemas| json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT});
        Self { schema, shared: Some("Limit"), ..Self::new::<u32>("limit", "How many rows at most.", 50) }
    }

    /// `cursor`, which every list takes.
    pub fn cursor() -> Self {
        let example = cursor::of_id(sample::message_id().uuid());
        Self { shared: Some("Cursor"), ..Self::new::<String>("cursor", CURSOR, example) }
    }

    /// `cursor` of a list that is sorted by a code.
    pub fn cursor_by_code(code: &str) -> Self {
        Self::new::<String>("cursor", CURSOR, cursor::of_code(code))
    }

    /// `cursor` of a list that is sorted by places.
    pub fn cursor_by_place(place: u64) -> Self {
        Self::new::<String>("cursor", CURSOR, cursor::of_place(place))
    }

    /// As the document says it.
    pub fn say(&self, schemas: &mut Schemas) -> Value {
        let mut schema = (self.schema)(schemas);
        settle(&mut schema);
        json!({
            "name": self.name, "in": "query", "description": self.about, "required": self.required,
            "schema": schema, "example": self.example,
        })
    }
}
