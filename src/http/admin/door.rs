//! The door: how people come in, before anybody knows who they are. For an address that nobody has there is the same answer, and
//! as much work, as for a wrong password.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponseBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::me::{AccountRecord, Typed, account};
use super::operators::wrong_operator_name;
use super::second_factor::shown_besides;
use crate::domain::email::Email;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::operator::{OperatorAccount, Role};
use crate::domain::person::{Person, SignIn};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::http::answer::{Answer, ok};
use crate::http::cookie;
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::actor;
use crate::http::extract::query::{Nothing, Query};
use crate::http::guesses::subject;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::origin::{Origin, Secured, is_ours};
use crate::http::problem::Problem;
use crate::ports::people::{Known, Outcome, Whom};
use crate::tenancy::authenticate::OperatorIdentity;
use crate::tenancy::password::{PASSWORD_MAX, PASSWORD_MIN, Password};
use crate::tenancy::sign_in::{self, Proven, csrf_of, recognised, secret_text};

/// Characters of what a browser calls itself that are kept.
const AGENT: usize = 200;

/// The answer to `GET /door`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Door")]
struct DoorRecord {
    /// Whether the first account is still to be made, by the link that the server printed when it started.
    setup: bool,
    /// Of the server.
    version: &'static str,
}

/// The answer to whoever has come in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SignedIn")]
struct ComeIn {
    operator: AccountRecord,
    /// To be sent as `X-CSRF-Token` with whatever changes something.
    csrf: String,
}

/// The body of `POST /door/setup`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FirstAccount")]
pub struct FirstAccount {
    /// What stands behind the `#` of the link.
    #[schemars(with = "String")]
    token: Typed,
    /// What you are called, in the audit too.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// What you sign in with; nothing is sent there.
    #[schemars(with = "Email")]
    email: String,
    /// Any characters.
    #[schemars(with = "String", length(min = PASSWORD_MIN, max = PASSWORD_MAX))]
    password: Typed,
}

/// The body of `POST /door/sign-in`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Credentials")]
pub struct Credentials {
    /// Compared without case.
    email: String,
    #[schemars(with = "String")]
    password: Typed,
    /// The code that your phone shows, if you have a second factor.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    totp: Option<Typed>,
    /// Or one of the codes on paper; each is good once.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    recovery_code: Option<Typed>,
}

/// The body of `POST /door/welcome`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Welcome")]
pub struct Welcome {
    /// What stands behind the `#` of the link.
    #[schemars(with = "String")]
    token: Typed,
    /// The one to sign in with from now on. Any characters.
    #[schemars(with = "String", length(min = PASSWORD_MIN, max = PASSWORD_MAX))]
    password: Typed,
}

impl Form for FirstAccount {}
impl Form for Credentials {}
impl Form for Welcome {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let inside = || ComeIn { operator: AccountRecord::example(), csrf: "9f86d081884c7d65…".to_owned() };
    let password = "four words you remember";
    vec![
        get("/v1/admin/door", look)
            .named("getDoor", "Whether the first account is still to be made")
            .answering(200, "How the door stands.", &DoorRecord { setup: false, version: env!("CARGO_PKG_VERSION") }),
        post("/v1/admin/door/setup", setup)
            .named("setUp", "Make the first account")
            .about("By the link that the server prints while there is none. It is good once; `columba operator setup-link` \
                    makes another. The account has the role `owner`, and you are signed in.")
            .asking(json!({"token": "4Fj0…", "name": "Ada", "email": "ada@example.com", "password": password}))
            .answering(201, "You are in; the cookie is set.", &inside())
            .refusing(&[Code::Unauthorized, Code::Forbidden, Code::InvalidRequest, Code::Conflict]),
        post("/v1/admin/door/sign-in", sign_in)
            .named("signIn", "Sign in")
            .about("A 401 says in `errors[0].code` why: `wrong_credentials`, the same whether there is such an address or not; \
                    `second_factor_required`, only after a right password; `wrong_code`. After a few wrong tries each \
                    further one has to wait twice as long: 429.")
            .asking(json!({"email": "ada@example.com", "password": password, "totp": "287082"}))
            .answering(200, "You are in; the cookie is set.", &inside())
            .refusing(&[Code::Unauthorized, Code::Forbidden]),
        post("/v1/admin/door/welcome", welcome)
            .named("comeIn", "Come in by an invitation")
            .about("And choose a password. Wherever you were signed in before, you are no longer.")
            .asking(json!({"token": "4Fj0…", "password": password}))
            .answering(200, "You are in; the cookie is set.", &inside())
            .refusing(&[Code::Unauthorized, Code::Forbidden, Code::InvalidRequest]),
    ]
}

/// 403 for a page of another origin: it would sign its visitor in as somebody else.
fn admit_page(request: &HttpRequest) -> Result<(), Refusal> {
    match is_ours(request.headers()) {
        Some(false) => Err(Refusal::forbidden("pages of other origins cannot sign anybody in")),
        Some(true) | None => Ok(()),
    }
}

/// `GET /door`.
pub async fn look(state: State, _: Query<Nothing>) -> Answer {
    let setup = state.people.is_empty(SystemScope).await?;
    ok(DoorRecord { setup, version: env!("CARGO_PKG_VERSION") })
}

/// `POST /door/setup`.
pub async fn setup(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<FirstAccount>,
    request: HttpRequest,
) -> Answer {
    admit_page(&request)?;
    let guess = state.guesses.guess(None, Origin::found(&request), state.clock.now())?;
    if !state.setup_link.is(&body.token) {
        return Err(sign_in::wrong_link().into());
    }
    let mut faults: Vec<Fault> = wrong_operator_name(&body.name).into_iter().collect();
    let email = body.email.parse::<Email>();
    let email = email.map_err(|error| faults.push(Fault::new("/email", "not_allowed", error.to_string())));
    let password = Password::typed(&body.password);
    faults.extend(email.as_ref().ok().and_then(|email| wrong_password(&password, email)));
    let (Ok(email), true) = (email, faults.is_empty()) else {
        // The link was right, and stays good.
        guess.right();
        return Err(Refusal::invalid(faults).into());
    };
    let now = state.clock.wall();
    let id = OperatorId::mint(now);
    let account = OperatorAccount {
        id,
        name: body.name,
        hash: None,
        role: Role::Owner,
        email: Some(email),
        created_at: now,
        expires_at: None,
        revoked_at: None,
    };
    let hash = state.hashing.hash(password).await?;
    let person =
        Person { id, password: Some(hash.clone()), second_factor: None, recovery: vec![], invitation: None };
    let identity = OperatorIdentity { id, name: account.name.clone(), role: account.role };
    let directory = Arc::clone(&state.directory).signed(actor(&request, &identity));
    directory.found(account, person).await?;
    state.setup_link.spend();
    guess.right();
    let proven = Proven { password: hash, second: sign_in::Second::Nothing };
    let rule = move |known: &Known, opens: SignIn| sign_in::sign_in(known, &proven, opens, now);
    let_in(&state, &request, &identity, rule, StatusCode::CREATED).await
}

/// `POST /door/sign-in`.
pub async fn sign_in(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Credentials>,
    request: HttpRequest,
) -> Answer {
    admit_page(&request)?;
    let guess =
        state.guesses.guess(Some(subject(&body.email)), Origin::found(&request), state.clock.now())?;
    let known = match body.email.parse() {
        Ok(email) => state.people.find(SystemScope, Whom::Email(email)).await?,
        Err(_) => None,
    };
    let now = state.clock.wall();
    let known = known.filter(|known| known.account.is_live(now));
    let kept = known.as_ref().and_then(|known| known.person.password.clone());
    let is_right = state.hashing.is(Password::typed(&body.password), kept.clone()).await?;
    let (Some(known), Some(password), true) = (known, kept, is_right) else {
        return Err(sign_in::wrong_credentials().into());
    };
    let second = shown_besides(&state, &known, body.totp.as_ref(), body.recovery_code.as_ref()).await?;
    let proven = Proven { password, second };
    let identity = identity(&known);
    let rule = move |known: &Known, opens: SignIn| sign_in::sign_in(known, &proven, opens, now);
    let inside = let_in(&state, &request, &identity, rule, StatusCode::OK).await?;
    guess.right();
    Ok(inside)
}

/// `POST /door/welcome`.
pub async fn welcome(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Welcome>,
    request: HttpRequest,
) -> Answer {
    admit_page(&request)?;
    let guess = state.guesses.guess(None, Origin::found(&request), state.clock.now())?;
    let link = recognised(&body.token);
    let now = state.clock.wall();
    let known = state.people.find(SystemScope, Whom::Invitation(link)).await?;
    let known = known.filter(|known| known.account.is_live(now)).ok_or_else(sign_in::wrong_link)?;
    let password = Password::typed(&body.password);
    if let Some(fault) = known.account.email.as_ref().and_then(|email| wrong_password(&password, email)) {
        // The link was right, and stays good.
        guess.right();
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let hash = state.hashing.hash(password).await?;
    let rule = move |known: &Known, opens: SignIn| sign_in::welcome(known, &link, hash.clone(), opens, now);
    let inside = let_in(&state, &request, &identity(&known), rule, StatusCode::OK).await?;
    guess.right();
    Ok(inside)
}

/// What is wrong with a password that somebody chooses.
pub fn wrong_password(password: &Password, email: &Email) -> Option<Fault> {
    password.wrong(email).map(|detail| Fault::new("/password", "not_allowed", detail))
}

fn identity(known: &Known) -> OperatorIdentity {
    let OperatorAccount { id, name, role, .. } = &known.account;
    OperatorIdentity { id: *id, name: name.clone(), role: *role }
}

/// A sign-in for this request, and the text of its cookie.
fn fresh(state: &State, request: &HttpRequest, operator: OperatorId) -> (SignIn, Zeroizing<String>) {
    let now = state.clock.wall();
    let cookie = secret_text(&mut rand::rng());
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let sign_in = SignIn {
        id: SignInId::mint(now),
        operator,
        hash: recognised(&cookie),
        created_at: now,
        seen_at: now,
        stepped_up_at: now,
        address: Origin::found(request).0,
        agent: agent.map(|agent| agent.chars().take(AGENT).collect()),
    };
    (sign_in, cookie)
}

/// Lets somebody in, if the rule does.
async fn let_in(
    state: &State,
    request: &HttpRequest,
    who: &OperatorIdentity,
    rule: impl Fn(&Known, SignIn) -> Result<Outcome, Refusal> + Send + Sync + 'static,
    status: StatusCode,
) -> Answer {
    let (opens, cookie) = fresh(state, request, who.id);
    let decide = move |known: &Known| rule(known, opens.clone());
    state.people.decide(actor(request, who), who.id, Arc::new(decide), state.clock.wall()).await?;
    let known = state.people.find(SystemScope, Whom::Operator(who.id)).await?;
    let known = known.ok_or_else(|| Problem::from(Refusal::not_found()))?;
    let mut response = HttpResponseBuilder::new(status);
    response.insert_header((header::SET_COOKIE, cookie::given(&cookie, Secured::found(request).0)));
    Ok(response.json(ComeIn { operator: account(&known), csrf: csrf_of(&cookie) }))
}
