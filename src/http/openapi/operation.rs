//! One route's description: what its handler's signature says, and what a person adds.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::parameter::Parameter;
use super::problems;
use super::schemas::{SchemaOf, Schemas, answered};
use super::signature::{Route, Signature};
use crate::domain::operator::Role;
use crate::domain::refusal::{Code, Refusal};
use crate::tenancy::behalf::Needs;
use crate::tenancy::permission::Permission;

/// One route's description.
pub struct Operation {
    /// In lower case.
    pub method: &'static str,
    /// As `routes` has it.
    pub path: &'static str,
    /// Names it in generated clients.
    pub id: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    about: &'static str,
    route: Route,
    asked: Option<Value>,
    answers: Vec<Answer>,
}

struct Answer {
    status: u16,
    about: &'static str,
    contents: Vec<(&'static str, SchemaOf, Value)>,
}

macro_rules! methods {
    ($($method:ident)*) => {$(
        #[doc = concat!("The route that takes `", stringify!($method), "` at `path`.")]
        pub fn $method<A>(path: &'static str, handler: impl Signature<A>) -> Operation {
            Operation::new(stringify!($method), path, handler.route())
        }
    )*};
}

methods!(get post put patch delete);

impl Operation {
    fn new(method: &'static str, path: &'static str, mut route: Route) -> Self {
        route.refusals.insert((503, Code::Unavailable));
        if !matches!(path, "/livez" | "/readyz") {
            route.refusals.insert((429, Code::RateLimited));
        }
        Self { method, path, id: "", summary: "", about: "", route, asked: None, answers: vec![] }
    }

    /// Its name in generated clients, and what it does in a few words.
    pub fn named(self, id: &'static str, summary: &'static str) -> Self {
        Self { id, summary, ..self }
    }

    /// What else there is to know.
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// An example of its body.
    pub fn asking(self, example: Value) -> Self {
        Self { asked: Some(example), ..self }
    }

    /// What it answers, by example.
    pub fn answering<T: Serialize + JsonSchema>(self, status: u16, about: &'static str, example: &T) -> Self {
        let example = serde_json::to_value(example).expect("an example of an answer is plain data");
        self.with(status, about, Some(("application/json", answered::<T>, example)))
    }

    /// What it answers as text of another type.
    pub fn answering_as(self, status: u16, media: &'static str, about: &'static str, example: &str) -> Self {
        self.with(status, about, Some((media, answered::<String>, json!(example))))
    }

    /// What it answers without a body.
    pub fn answering_nothing(self, status: u16, about: &'static str) -> Self {
        self.with(status, about, None)
    }

    fn with(
        mut self,
        status: u16,
        about: &'static str,
        content: Option<(&'static str, SchemaOf, Value)>,
    ) -> Self {
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.contents.extend(content),
            None => self.answers.push(Answer { status, about, contents: content.into_iter().collect() }),
        }
        self
    }

    /// What it may refuse with besides what its arguments do. `InvalidRequest` means 422 here.
    pub fn refusing(mut self, codes: &[Code]) -> Self {
        let status = |code: Code| *code.statuses().last().expect("every code has a status");
        self.route.refusals.extend(codes.iter().map(|&code| (status(code), code)));
        self
    }

    /// The example of its body.
    pub fn asked(&self) -> Option<&Value> {
        self.asked.as_ref()
    }

    /// What it needs of an operator's role, if operators call it.
    pub fn permission(&self) -> Option<Permission> {
        self.route.permission
    }

    /// What it takes of an operator on a tenant's behalf, if tenants call it.
    pub fn on_behalf(&self) -> Option<Needs> {
        self.route.on_behalf
    }

    /// A scheme that its arguments do not tell: `tenant`, `operator` or `ticket`.
    pub fn opened_by(mut self, scheme: &'static str, scope: Option<&str>) -> Self {
        self.route.security.push((scheme, scope.map(str::to_owned)));
        self
    }

    /// What keeps its description from being whole, in words that say what to add.
    pub fn missing(&self) -> Vec<String> {
        let at = format!("{} {}", self.method.to_uppercase(), self.path);
        let mut missing = Vec::new();
        if self.id.is_empty() || self.summary.is_empty() {
            missing.push(format!("{at}: add .named(\"verbNoun\", \"What it does\")"));
        }
        if self.answers.is_empty() {
            missing.push(format!("{at}: add .answering(STATUS, \"What comes back\", &EXAMPLE)"));
        }
        for name in &self.route.undescribed {
            missing.push(format!(
                "{at}: the query parameter `{name}` is taken and not described, or described and not taken: its \
                 `impl Parameters` needs Parameter::new::<T>(\"{name}\", \"What it narrows\", EXAMPLE) in described()"
            ));
        }
        match (&self.route.body, &self.asked) {
            (Some(_), None) => {
                missing.push(format!("{at}: add .asking(json!({{…}})), an example of its body"))
            }
            (None, Some(_)) => missing.push(format!("{at}: takes no body; remove .asking(…)")),
            (Some(body), Some(example)) => {
                if let Err(Refusal { faults, .. }) = (body.read)(example.to_string().as_bytes()) {
                    missing.push(format!("{at}: the example of its body is refused: {faults:?}"));
                }
            }
            (None, None) => (),
        }
        missing
    }

    /// Query parameters that several routes share.
    pub(super) fn shared(&self) -> impl Iterator<Item = &Parameter> {
        self.route.query.iter().filter(|parameter| parameter.shared.is_some())
    }

    /// Refusals, by status.
    pub(super) fn refusals(&self) -> Vec<(u16, Vec<Code>)> {
        let mut by_status: Vec<(u16, Vec<Code>)> = Vec::new();
        for &(status, code) in &self.route.refusals {
            match by_status.last_mut().filter(|(last, _)| *last == status) {
                Some((_, codes)) => codes.push(code),
                None => by_status.push((status, vec![code])),
            }
        }
        by_status
    }

    /// As the document says it.
    pub(super) fn say(&self, tag: &str, schemas: &mut Schemas) -> Value {
        let mut said = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [tag],
            "security": self.security(),
            "responses": self.responses(schemas),
        });
        let about = self.describe();
        if !about.is_empty() {
            said["description"] = json!(about);
        }
        let parameters = self.parameters(schemas);
        if !parameters.is_empty() {
            said["parameters"] = json!(parameters);
        }
        if let Some(body) = &self.route.body {
            let content = json!({"schema": (body.schema)(schemas), "example": self.asked});
            said["requestBody"] = json!({"required": body.required, "content": {body.media: content}});
        }
        said
    }

    fn describe(&self) -> String {
        let scopes = self.route.security.iter().filter_map(|(_, scope)| scope.as_deref());
        let needs = scopes.map(|scope| format!("Needs a key with the scope `{scope}`.")).next();
        let role = self.route.permission.filter(|_| self.path.starts_with("/v1/admin/"));
        let role = role.map(|permission| match permission.least() {
            Role::Viewer => "Any operator may.".to_owned(),
            Role::Owner => "Takes an operator with the role `owner`.".to_owned(),
            least => format!("Takes an operator with the role `{least}` or a higher one."),
        });
        let behalf = self.route.on_behalf.map(|needs| {
            let role = needs.permission.least();
            let look = if needs.content { " and a look" } else { "" };
            format!("On a tenant's behalf it takes an operator with the role `{role}` or a higher one{look}.")
        });
        let parts = [Some(self.about.to_owned()).filter(|about| !about.is_empty()), needs, role, behalf];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }

    fn security(&self) -> Vec<Value> {
        let say =
            |(scheme, scope): &(&str, Option<String>)| json!({*scheme: scope.iter().collect::<Vec<_>>()});
        self.route.security.iter().map(say).collect()
    }

    fn parameters(&self, schemas: &mut Schemas) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut all: Vec<Value> = Vec::new();
        for name in names {
            let schema = self.route.id.map_or_else(|| json!({"type": "string"}), |id| id(schemas));
            all.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
        if self.route.idempotent {
            all.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
        }
        for parameter in &self.route.query {
            all.push(match parameter.shared {
                Some(name) => json!({"$ref": format!("#/components/parameters/{name}")}),
                None => parameter.say(schemas),
            });
        }
        all
    }

    fn responses(&self, schemas: &mut Schemas) -> Map<String, Value> {
        let mut all = Map::new();
        for answer in &self.answers {
            let mut headers = headers(self.path);
            if self.route.idempotent {
                headers.insert("Idempotency-Replayed".to_owned(), header("Idempotency-Replayed"));
            }
            let mut said = json!({"description": answer.about, "headers": headers});
            for (media, schema, example) in &answer.contents {
                said["content"][*media] = json!({"schema": schema(schemas), "example": example});
            }
            all.insert(answer.status.to_string(), said);
        }
        for (status, codes) in self.refusals() {
            let place = format!("#/components/responses/{}", problems::name(status, &codes));
            all.insert(status.to_string(), json!({"$ref": place}));
        }
        all
    }
}

/// The headers of every answer at `path`.
pub(super) fn headers(path: &str) -> Map<String, Value> {
    let spoken: &[&str] = if path.starts_with("/v1/") { &["RateLimit", "RateLimit-Policy"] } else { &[] };
    ["X-Request-Id"].iter().chain(spoken).map(|name| ((*name).to_owned(), header(name))).collect()
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}
