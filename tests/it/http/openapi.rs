//! The documents describe what is there, all of it, and the copies in `docs/` are theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::refusal::Code;
use columba::domain::webhook::event_types;
use columba::http::openapi::errors;
use columba::http::{asyncapi, openapi};
use roas::validation::{Options, Validate as _};
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::world::World;

/// Pages for people: no program calls them.
const PAGES: [&str; 7] =
    ["/", "/ui", "/ui/{file:.*}", "/pair", "/docs", "/docs/errors", "/docs/{file:[a-zA-Z0-9.-]*}"];

fn document() -> Value {
    serde_json::from_str(&openapi::document()).unwrap()
}

/// Every path and method of the document. `HEAD` comes with `GET`.
fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&String, &Value)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(each).collect()
}

/// Every pattern that actix has registered, whole: its map of resources says so only to a debugger.
fn patterns(map: &str) -> BTreeSet<String> {
    let (mut found, mut above, mut last) = (BTreeSet::new(), Vec::<(usize, String)>::new(), String::new());
    for line in map.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if line == "patterns: Single(" {
            last.clear();
        } else if let Some(text) = line.strip_prefix('"').and_then(|text| text.strip_suffix("\",")) {
            // The first text after `patterns` is the pattern; `segments` repeats its parts.
            if last.is_empty() && depth > 0 {
                last = text.to_owned();
                above.retain(|(at, _)| *at < depth);
                let whole: String = above.iter().map(|(_, part)| part.as_str()).chain([text]).collect();
                above.push((depth, text.to_owned()));
                found.insert(whole);
            }
        }
    }
    found
}

/// What is registered, asked of the running routes: a method nobody takes is answered with those that are.
async fn registered(world: &World) -> BTreeSet<(String, String)> {
    let map = world.resources().await;
    let mut found = BTreeSet::new();
    for pattern in patterns(&map) {
        if pattern.is_empty() || PAGES.contains(&pattern.as_str()) {
            continue;
        }
        let path = pattern.replace("{id}", "x");
        let reply = world.send(TestRequest::default().method(Method::TRACE).uri(&path)).await;
        if reply.status != 405 {
            continue; // A scope, which takes nothing itself.
        }
        for method in reply.header("allow").split(", ").filter(|method| *method != "HEAD") {
            found.insert((pattern.clone(), method.to_owned()));
        }
    }
    found
}

#[actix_web::test]
async fn every_registered_route_is_described_and_every_described_one_is_registered() {
    let world = World::new();
    let (registered, described) = (registered(&world).await, described(&document()));
    assert!(registered.len() > 30, "actix shows its routes in another form now: {registered:?}");
    if let Some((path, method)) = registered.difference(&described).next() {
        let builder = method.to_lowercase();
        panic!(
            "{method} {path} is registered and not described. In operations() of its handler's file add\n\n    \
             operation::{builder}(\"{path}\", HANDLER)\n        .named(\"verbNoun\", \"What it does\")\n        \
             .answering(200, \"What comes back\", &EXAMPLE)\n        .refusing(&[Code::Conflict]),\n\nA body also needs \
             .asking(json!(EXAMPLE)) and #[derive(JsonSchema)], query parameters a described() in their `impl \
             Parameters`. A file that had no operations() needs its line in groups() of src/http/openapi/mod.rs."
        );
    }
    let absent: Vec<_> = described.difference(&registered).collect();
    assert!(absent.is_empty(), "described, but not in src/http/routes.rs: {absent:?}");
}

#[test]
fn every_description_is_whole_and_its_examples_are_taken() {
    let missing: Vec<_> =
        openapi::groups().iter().flat_map(|group| &group.operations).flat_map(|o| o.missing()).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn names_for_generated_clients_are_unique_verbs_in_camel_case() {
    let mut seen = BTreeSet::new();
    for operation in openapi::groups().iter().flat_map(|group| &group.operations) {
        let plain = operation.id.bytes().all(|b| b.is_ascii_alphanumeric());
        assert!(plain && operation.id.starts_with(|c: char| c.is_ascii_lowercase()), "{}", operation.id);
        assert!(seen.insert(operation.id), "{} twice", operation.id);
    }
}

#[test]
fn the_document_is_valid_openapi_3_1() {
    let spec: roas::v3_1::spec::Spec = serde_json::from_value(document()).unwrap();
    if let Err(error) = spec.validate(Options::new(), None) {
        panic!("{error}");
    }
}

/// A reference within the document, followed.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("{place}")),
        None => value,
    }
}

/// Judges `example` by a schema of the document.
fn fits(document: &Value, schema: &Value, example: &Value, place: &str) {
    let root = json!({"allOf": [schema], "components": document["components"]});
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&root).unwrap();
    let wrong: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{place}: {wrong:?}\n{example}");
}

#[test]
fn every_example_is_of_the_form_its_schema_has() {
    let document = document();
    let mut judged = 0;
    let mut judge = |content: &Value, place: &str| {
        let mut examples: Vec<&Value> = content.get("example").into_iter().collect();
        let named = content["examples"].as_object().into_iter().flatten();
        examples.extend(named.map(|(_, example)| &resolve(&document, example)["value"]));
        assert!(!examples.is_empty(), "{place} has no example");
        for example in examples {
            fits(&document, &content["schema"], example, place);
            judged += 1;
        }
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (media, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                judge(content, &format!("{method} {path} asks {media}"));
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = resolve(&document, response);
                for (media, content) in response["content"].as_object().into_iter().flatten() {
                    judge(content, &format!("{method} {path} answers {status} {media}"));
                }
            }
        }
    }
    assert!(judged > 200, "{judged}");
}

#[test]
fn the_feed_s_messages_have_examples_of_their_form() {
    let document: Value = serde_json::from_str(&asyncapi::document()).unwrap();
    let messages = document["components"]["messages"].as_object().unwrap();
    for word in
        ["hello", "ready", "event", "lagged", "resync", "going_away", "pong", "error", "subscribe", "ping"]
    {
        let message = &messages[word];
        let examples = message["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{word}");
        for example in examples {
            fits(&document, &message["payload"], &example["payload"], word);
        }
    }
    for channel in document["channels"].as_object().unwrap().values() {
        for message in channel["messages"].as_object().unwrap().values() {
            assert!(resolve(&document, message)["payload"].is_object(), "{message}");
        }
    }
}

/// Asks the library of Standard Webhooks whether an example is signed as it says; its time is long past.
fn is_signed(example: &Value) -> bool {
    let [id, at, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| example["headers"][name].as_str().unwrap());
    let webhook = standardwebhooks::Webhook::new(openapi::sample::SECRET).unwrap();
    let expected = webhook.sign(id, at.parse().unwrap(), example["payload"].to_string().as_bytes());
    expected.unwrap() == signature
}

#[test]
fn every_type_of_event_that_webhooks_are_told_is_described_with_an_example_that_is_signed() {
    let document: Value = serde_json::from_str(&asyncapi::document()).unwrap();
    let described: BTreeSet<String> =
        document["channels"]["webhooks"]["messages"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(described, event_types().into_iter().collect());
    for kind in described {
        let message = &document["components"]["messages"][&kind];
        let examples = message["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{kind}");
        for example in examples {
            fits(&document, &message["payload"], &example["payload"], &kind);
            fits(&document, &message["headers"], &example["headers"], &kind);
            assert_eq!(example["payload"]["type"], *kind);
            assert!(is_signed(example), "{example}");
        }
        let mut other = examples[0]["payload"].clone();
        other["type"] = json!("message.other");
        let root = json!({"allOf": [message["payload"]], "components": document["components"]});
        assert!(!jsonschema::draft202012::is_valid(&root, &other), "{kind} is told by its type");
    }
}

#[test]
fn the_stream_of_events_says_what_the_feed_says_and_why_it_ends() {
    let document: Value = serde_json::from_str(&asyncapi::document()).unwrap();
    let said: BTreeSet<&str> =
        document["channels"]["events"]["messages"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(said, BTreeSet::from(["hello", "ready", "event", "lagged", "resync", "going_away", "close"]));
    let close = &document["components"]["messages"]["close"];
    fits(&document, &close["payload"], &close["examples"][0]["payload"], "close");
    assert!(document["operations"].get("eventsHear").is_none(), "it cannot be spoken to");
}

#[test]
fn the_copies_in_docs_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (file, text, flag) in [
        ("openapi.json", openapi::document(), ""),
        ("asyncapi.json", asyncapi::document(), " --asyncapi"),
        ("ERRORS.md", errors::markdown(), " --errors"),
    ] {
        let kept = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(kept == text, "docs/{file} is not current; run: cargo run -- openapi{flag} > docs/{file}");
    }
}

#[test]
fn every_code_is_in_the_list_of_errors_with_its_statuses() {
    let (text, page) = (errors::markdown(), errors::page());
    for code in Code::iter() {
        assert!(
            text.contains(&format!("\n## {code}\n")) && page.contains(&format!("<h2 id=\"{code}\">")),
            "{code}"
        );
    }
}

#[actix_web::test]
async fn the_server_serves_its_documents_and_an_explorer_that_needs_nothing_from_elsewhere() {
    let world = World::new();
    let get = async |path: &str| world.send(TestRequest::get().uri(path)).await;
    assert_eq!(get("/openapi.json").await.text, openapi::document());
    assert_eq!(get("/asyncapi.json").await.text, asyncapi::document());
    assert_eq!(get("/docs").await.header("location"), "/docs/");
    assert!(get("/docs/errors").await.text.contains("<h2 id=\"not_found\">"));
    assert_eq!(get("/docs/../Cargo.toml").await.status, 404);
    assert_eq!(get("/docs/absent.js").await.problem().0, 404);

    let page = get("/docs/").await;
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self';"), "{policy}");
    assert!(!page.text.contains("<script>") && !page.text.contains("://"), "{}", page.text);
    let named = ["src=\"", "href=\""].iter().flat_map(|mark| page.text.split(mark).skip(1));
    let files: BTreeMap<&str, ()> = named.filter_map(|rest| Some((rest.split('"').next()?, ()))).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files.keys() {
        assert_eq!(get(&format!("/docs/{}", file.trim_start_matches("./"))).await.status, 200, "{file}");
    }
    let script = get("/docs/swagger-initializer.js").await.text;
    assert!(script.contains("/openapi.json") && !script.contains("://"), "{script}");
}
