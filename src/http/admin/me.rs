//! What somebody who signed in does on their own behalf: who they are, where else they are signed in, their password.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::door::wrong_password;
use super::second_factor::shown_besides;
use crate::domain::email::Email;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::operator::{OperatorAccount, Role};
use crate::domain::person::{PasswordHash, STEPPED_UP, SignIn};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, done, ok};
use crate::http::cookie;
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::Myself;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::guesses::{Guess, subject};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, delete, get, post};
use crate::http::openapi::sample;
use crate::http::origin::{Origin, Secured};
use crate::http::problem::Problem;
use crate::ports::people::{Known, Outcome, Whom};
use crate::tenancy::password::{PASSWORD_MAX, PASSWORD_MIN, Password};
use crate::tenancy::sign_in::{self, Proven};

/// Something secret that a person typed. Wiped when dropped, hidden from `Debug`.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Typed(Zeroizing<String>);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Deref for Typed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed(…)")
    }
}

/// An operator who is a person, as they see themselves.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountRecord {
    id: OperatorId,
    /// What they are called, in the audit too.
    name: String,
    /// What they sign in with.
    email: Option<Email>,
    role: Role,
    /// Whether a code of their phone is asked for.
    totp: bool,
    /// Codes on paper that are not used yet.
    recovery_codes_left: usize,
}

impl AccountRecord {
    /// One of them.
    pub fn example() -> Self {
        Self {
            id: sample::operator_id(),
            name: "Ada".to_owned(),
            email: "ada@example.com".parse().ok(),
            role: Role::Owner,
            totp: true,
            recovery_codes_left: 10,
        }
    }
}

/// Somebody, as they see themselves.
pub fn account(known: &Known) -> AccountRecord {
    let OperatorAccount { id, name, email, role, .. } = known.account.clone();
    let totp = known.person.asked_for().is_some();
    AccountRecord { id, name, email, role, totp, recovery_codes_left: known.person.recovery.len() }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Me")]
struct MeRecord<'a> {
    operator: AccountRecord,
    /// To be sent as `X-CSRF-Token` with whatever changes something.
    csrf: &'a str,
    /// Until then the password counts for what destroys or reveals.
    stepped_up_until: WallTime,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SteppedUp")]
struct SteppedUpRecord {
    /// Until then the password counts for what destroys or reveals.
    stepped_up_until: WallTime,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SignIn")]
struct SignInRecord {
    id: SignInId,
    /// When you signed in.
    created_at: WallTime,
    /// When it was last used, to the minute.
    seen_at: WallTime,
    /// When it ends, if it is not used again.
    ends_at: WallTime,
    /// From where you signed in.
    address: Option<String>,
    /// What the browser calls itself.
    agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

fn record(one: &SignIn, here: SignInId) -> SignInRecord {
    SignInRecord {
        id: one.id,
        created_at: one.created_at,
        seen_at: one.seen_at,
        ends_at: one.ends_at(),
        address: one.address.map(|address| address.to_string()),
        agent: one.agent.clone(),
        current: one.id == here,
    }
}

/// The body of `POST /me/step-up`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepUp")]
pub struct StepUp {
    #[schemars(with = "String")]
    password: Typed,
    /// The code that your phone shows, if you have a second factor.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    totp: Option<Typed>,
}

/// The body of `POST /me/password`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PasswordChange")]
pub struct PasswordChange {
    #[schemars(with = "String")]
    current: Typed,
    /// Any characters.
    #[schemars(with = "String", length(min = PASSWORD_MIN, max = PASSWORD_MAX))]
    new: Typed,
}

impl Form for StepUp {}
impl Form for PasswordChange {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let stepped_up_until = sample::NOW + STEPPED_UP;
    let sign_in = SignInRecord {
        id: sample::sign_in_id(),
        created_at: sample::NOW,
        seen_at: sample::NOW,
        ends_at: sample::NOW,
        address: Some("192.0.2.7".to_owned()),
        agent: Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        current: true,
    };
    vec![
        get("/v1/admin/me", me).named("getMe", "Who I am").answering(
            200,
            "You.",
            &MeRecord { operator: AccountRecord::example(), csrf: "9f86d081884c7d65…", stepped_up_until },
        ),
        post("/v1/admin/me/sign-out", sign_out)
            .named("signOut", "Sign out")
            .answering_nothing(204, "This cookie opens nothing any more."),
        post("/v1/admin/me/sign-out-everywhere", sign_out_everywhere)
            .named("signOutEverywhere", "Sign out wherever I am signed in")
            .answering_nothing(204, "None of your cookies opens anything any more."),
        get("/v1/admin/me/sign-ins", sign_ins)
            .named("listSignIns", "Where I am signed in")
            .answering(200, "Every place.", &Listing::whole(vec![sign_in])),
        delete("/v1/admin/me/sign-ins/{id}", end)
            .named("endSignIn", "Sign out somewhere else")
            .answering_nothing(204, "Its cookie opens nothing any more."),
        post("/v1/admin/me/step-up", step_up)
            .named("stepUp", "Give my password anew")
            .about("For ten minutes it counts for what destroys or reveals, which otherwise answers 403 `step_up_required`. \
                    Whoever signed in less than ten minutes ago has just given it.")
            .asking(json!({"password": "four words you remember", "totp": "287082"}))
            .answering(200, "It counts until then.", &SteppedUpRecord { stepped_up_until })
            .refusing(&[Code::Unauthorized]),
        post("/v1/admin/me/password", password)
            .named("changePassword", "Change my password")
            .about("Wherever else you are signed in, you no longer are.")
            .asking(json!({"current": "four words you remember", "new": "four others, as easy"}))
            .answering_nothing(204, "It is changed.")
            .refusing(&[Code::Unauthorized, Code::InvalidRequest]),
    ]
}

/// Somebody as they stand.
pub async fn known(state: &State, me: &Myself) -> Result<Known, Problem> {
    let known = state.people.find(SystemScope, Whom::Operator(me.identity.id)).await?;
    Ok(known.ok_or_else(|| Refusal::unauthorized("you are no longer signed in; sign in again"))?)
}

/// Writes what a rule makes of them.
pub async fn decide(
    state: &State,
    me: &Myself,
    rule: impl Fn(&Known) -> Result<Outcome, Refusal> + Send + Sync + 'static,
) -> Result<(), Problem> {
    Ok(state.people.decide(me.actor.clone(), me.identity.id, Arc::new(rule), state.clock.wall()).await?)
}

/// `GET /me`.
pub async fn me(state: State, _: Query<Nothing>, me: Myself) -> Answer {
    let known = known(&state, &me).await?;
    let stepped_up_until = me.here.sign_in.stepped_up_until();
    ok(MeRecord { operator: account(&known), csrf: &me.here.csrf, stepped_up_until })
}

fn gone(request: &HttpRequest) -> Answer {
    let header = (header::SET_COOKIE, cookie::taken_back(Secured::found(request).0));
    Ok(HttpResponse::NoContent().insert_header(header).finish())
}

/// `POST /me/sign-out`.
pub async fn sign_out(state: State, _: Query<Nothing>, me: Myself, request: HttpRequest) -> Answer {
    let here = me.here.sign_in.id;
    decide(&state, &me, move |known| sign_in::sign_out(known, here)).await?;
    gone(&request)
}

/// `POST /me/sign-out-everywhere`.
pub async fn sign_out_everywhere(
    state: State,
    _: Query<Nothing>,
    me: Myself,
    request: HttpRequest,
) -> Answer {
    decide(&state, &me, |known| Ok(sign_in::sign_out_everywhere(known))).await?;
    gone(&request)
}

/// `GET /me/sign-ins`: newest first.
pub async fn sign_ins(state: State, _: Query<Nothing>, me: Myself) -> Answer {
    let now = state.clock.wall();
    let known = known(&state, &me).await?;
    let open = known.sign_ins.iter().rev().filter(|one| one.is_open(now));
    ok(Listing::whole(open.map(|one| record(one, me.here.sign_in.id)).collect()))
}

/// `DELETE /me/sign-ins/{id}`.
pub async fn end(state: State, _: Query<Nothing>, me: Myself, Id(id): Id<SignInId>) -> Answer {
    decide(&state, &me, move |known| sign_in::sign_out(known, id)).await?;
    done()
}

/// Their password, given anew. The guess counts as a wrong one until whatever else is asked for was right too.
async fn proven<'a>(
    state: &'a State,
    me: &Myself,
    request: &HttpRequest,
    typed: &Typed,
) -> Result<(Guess<'a>, Known, PasswordHash), Problem> {
    let about = subject(&me.identity.id.to_string());
    let guess = state.guesses.guess(Some(about), Origin::found(request), state.clock.now())?;
    let known = known(state, me).await?;
    let kept = known.person.password.clone();
    match (state.hashing.is(Password::typed(typed), kept.clone()).await?, kept) {
        (true, Some(kept)) => Ok((guess, known, kept)),
        _ => Err(sign_in::wrong_credentials().into()),
    }
}

/// `POST /me/step-up`.
pub async fn step_up(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<StepUp>,
    me: Myself,
    request: HttpRequest,
) -> Answer {
    let (guess, known, password) = proven(&state, &me, &request, &body.password).await?;
    let second = shown_besides(&state, &known, body.totp.as_ref(), None).await?;
    let (proven, here) = (Proven { password, second }, me.here.sign_in.id);
    let now = state.clock.wall();
    decide(&state, &me, move |known| sign_in::step_up(known, &proven, here)).await?;
    guess.right();
    ok(SteppedUpRecord { stepped_up_until: now + STEPPED_UP })
}

/// `POST /me/password`.
pub async fn password(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<PasswordChange>,
    me: Myself,
    request: HttpRequest,
) -> Answer {
    let (guess, known, was) = proven(&state, &me, &request, &body.current).await?;
    guess.right();
    let new = Password::typed(&body.new);
    if let Some(fault) = known.account.email.as_ref().and_then(|email| wrong_password(&new, email)) {
        return Err(Refusal::invalid(vec![Fault { pointer: "/new".to_owned(), ..fault }]).into());
    }
    let (new, here) = (state.hashing.hash(new).await?, me.here.sign_in.id);
    decide(&state, &me, move |known| sign_in::change_password(known, &was, new.clone(), here)).await?;
    done()
}
