//! Schemas, made of the types that are read and written. What a type takes and what it answers differ (a field with a
//! default may be left out of a request and is always in an answer), so there are two generators.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

const PLACE: &str = "/components/schemas";

/// Both generators, and with them the types seen so far.
pub struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

/// A type's schema, or a reference to it.
pub type SchemaOf = fn(&mut Schemas) -> Value;

/// A type that is read.
pub fn asked<T: JsonSchema>(schemas: &mut Schemas) -> Value {
    schemas.asked.subschema_for::<T>().to_value()
}

/// A type that is written.
pub fn answered<T: JsonSchema>(schemas: &mut Schemas) -> Value {
    schemas.answered.subschema_for::<T>().to_value()
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = PLACE.into();
                settings.meta_schema = None;
            })
        };
        Self {
            asked: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema itself, of a type that nothing refers to by its name.
    pub fn inlined(&mut self, of: SchemaOf) -> Value {
        let named = of(self);
        let name = named["$ref"].as_str().and_then(|place| place.rsplit('/').next()).unwrap_or_default();
        let kept = [&mut self.asked, &mut self.answered];
        kept.into_iter().find_map(|generator| generator.definitions_mut().remove(name)).unwrap_or(named)
    }

    /// Every type seen, by name.
    pub fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        for (name, schema) in self.asked.take_definitions(true) {
            let other = all.insert(name.clone(), schema.clone());
            assert!(
                other.is_none_or(|other| other == schema),
                "{name} is read in one form and written in another: give each its name with #[schemars(rename)]"
            );
        }
        for schema in all.values_mut() {
            settle(schema);
        }
        all
    }
}

/// Gathers closed lists of words, which come as one schema a word, into one `enum`: that is what generated clients make
/// a type of. What each word means goes into the description.
pub fn settle(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(settle),
        Value::Object(parts) => {
            parts.values_mut().for_each(settle);
            // What is left out and what is null are the same to a form: no default worth saying.
            if parts.get("default") == Some(&Value::Null) {
                parts.remove("default");
            }
            // OpenAPI knows no unsigned formats; `minimum` says it.
            if parts.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                parts.remove("format");
            }
            let words: Option<Vec<Word>> = parts
                .get("oneOf")
                .and_then(Value::as_array)
                .and_then(|options| options.iter().map(Word::of).collect::<Option<Vec<_>>>());
            if let Some(words) = words {
                gather(parts, &words.concat());
            }
        }
        _ => (),
    }
}

type Word = Vec<(String, Option<String>)>;

trait Words: Sized {
    fn of(option: &Value) -> Option<Self>;
}

impl Words for Word {
    fn of(option: &Value) -> Option<Self> {
        let about = option["description"].as_str().map(str::to_owned);
        match (option["const"].as_str(), option["enum"].as_array()) {
            (Some(word), _) => Some(vec![(word.to_owned(), about)]),
            (None, Some(words)) => words.iter().map(|word| Some((word.as_str()?.to_owned(), None))).collect(),
            (None, None) => None,
        }
    }
}

fn gather(parts: &mut Map<String, Value>, words: &[(String, Option<String>)]) {
    parts.remove("oneOf");
    parts.insert("type".to_owned(), json!("string"));
    parts.insert("enum".to_owned(), words.iter().map(|(word, _)| json!(word)).collect());
    let mut text = parts.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    if words.iter().any(|(_, about)| about.is_some()) {
        text.push_str("\n\n");
        for (word, about) in words {
            text.push_str(&format!(
                "- `{word}`: {}\n",
                about.as_deref().unwrap_or_default().replace('\n', " ")
            ));
        }
    }
    parts.insert("description".to_owned(), json!(text.trim()));
}
