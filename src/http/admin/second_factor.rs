//! The second factor of somebody who signed in: proposed, confirmed by a first code, taken away. And what becomes of a code that
//! is shown beside a password.

use actix_web::{HttpRequest, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::me::{Typed, decide, known};
use crate::domain::id::{OperatorId, TenantId};
use crate::domain::person::SecondFactor;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::answer::{Answer, done, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::Myself;
use crate::http::extract::query::{Nothing, Query};
use crate::http::guesses::subject;
use crate::http::openapi::operation::{Operation, delete, post};
use crate::http::origin::Origin;
use crate::http::problem::Problem;
use crate::http::v1::pairing::picture;
use crate::ports::people::Known;
use crate::ports::vault::VaultError;
use crate::tenancy::second_factor::{self, FactorSecret, recovery_codes};
use crate::tenancy::sign_in::{self, Second};

/// The body of `POST /me/totp/confirm`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FirstCode")]
pub struct FirstCode {
    /// What the phone shows now.
    #[schemars(with = "String")]
    code: Typed,
}

impl Form for FirstCode {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProposedFactor")]
struct ProposedRecord<'a> {
    /// To be typed into a phone that cannot scan.
    secret: &'a str,
    /// What the picture says.
    uri: &'a str,
    /// The picture, to be scanned.
    qr_svg: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RecoveryCodes")]
struct CodesRecord<'a> {
    /// Each is good once in place of a phone's code. Shown this once.
    recovery_codes: Vec<&'a str>,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let codes = CodesRecord { recovery_codes: vec!["k3xw-9d2m-tq7b-hn4e"; 10] };
    let proposed = ProposedRecord {
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        uri: "otpauth://totp/Columba:ada@example.com?secret=…",
        qr_svg: "<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_owned(),
    };
    vec![
        post("/v1/admin/me/totp", propose)
            .named("proposeSecondFactor", "Begin with a second factor")
            .about("It counts once a first code was shown: POST …/totp/confirm.")
            .answering(200, "What your phone has to know. Shown this once.", &proposed)
            .refusing(&[Code::StepUpRequired, Code::Conflict]),
        post("/v1/admin/me/totp/confirm", confirm)
            .named("confirmSecondFactor", "Show the first code")
            .asking(json!({"code": "287082"}))
            .answering(200, "From now on a code is asked for. Keep these: they are shown this once.", &codes)
            .refusing(&[Code::Unauthorized, Code::Conflict]),
        delete("/v1/admin/me/totp", remove)
            .named("removeSecondFactor", "Do without a second factor")
            .answering_nothing(204, "No code is asked for any more.")
            .refusing(&[Code::StepUpRequired]),
    ]
}

fn require_fresh(state: &State, me: &Myself) -> Result<(), Refusal> {
    let is_fresh = state.clock.wall() < me.here.sign_in.stepped_up_until();
    if is_fresh { Ok(()) } else { Err(Refusal::step_up_required()) }
}

/// `POST /me/totp`.
pub async fn propose(state: State, _: Query<Nothing>, me: Myself) -> Answer {
    require_fresh(&state, &me)?;
    let known = known(&state, &me).await?;
    let email = known.account.email.ok_or_else(Refusal::not_found)?;
    let secret = FactorSecret::mint(&mut rand::rng());
    let sealed = state.sealer.seal(TenantId::HOUSE, &place(me.identity.id), secret.bytes()).await;
    let sealed = sealed.map_err(|error| unreadable(&error))?;
    decide(&state, &me, move |known| sign_in::propose_factor(known, sealed.clone())).await?;
    let uri = secret.uri(&email);
    let text = uri.to_string();
    let drawn = web::block(move || picture(&text)).await.ok().flatten();
    let qr_svg =
        drawn.ok_or_else(|| Refusal::unavailable("the picture could not be drawn; type the secret"))?;
    ok(ProposedRecord { secret: &secret.text(), uri: &uri, qr_svg })
}

/// `POST /me/totp/confirm`.
pub async fn confirm(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<FirstCode>,
    me: Myself,
    request: HttpRequest,
) -> Answer {
    let about = subject(&me.identity.id.to_string());
    let guess = state.guesses.guess(Some(about), Origin::found(&request), state.clock.now())?;
    let known = known(&state, &me).await?;
    let factor = known.person.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_none());
    let sealed = factor.ok_or_else(sign_in::nothing_to_confirm)?.sealed.clone();
    let now = state.clock.wall();
    let secret = open(&state, me.identity.id, &sealed).await?;
    let step = secret.step(&body.code, now).ok_or_else(|| Refusal {
        faults: vec![Fault::new("/code", "wrong_code", "this is not the code that is shown now")],
        ..sign_in::wrong_code()
    })?;
    let (codes, hashes) = recovery_codes(&mut rand::rng());
    let rule = move |known: &Known| sign_in::confirm_factor(known, &sealed, step, hashes.clone(), now);
    decide(&state, &me, rule).await?;
    guess.right();
    ok(CodesRecord { recovery_codes: codes.iter().map(|code| code.as_str()).collect() })
}

/// `DELETE /me/totp`.
pub async fn remove(state: State, _: Query<Nothing>, me: Myself) -> Answer {
    require_fresh(&state, &me)?;
    decide(&state, &me, sign_in::remove_factor).await?;
    done()
}

/// What was shown besides a password, once it was looked at.
pub async fn shown_besides(
    state: &State,
    known: &Known,
    totp: Option<&Typed>,
    recovery: Option<&Typed>,
) -> Result<Second, Problem> {
    let Some(SecondFactor { sealed, .. }) = known.person.asked_for() else { return Ok(Second::Nothing) };
    if let Some(code) = totp {
        let secret = open(state, known.account.id, sealed).await?;
        return Ok(secret.step(code, state.clock.wall()).map_or(Second::Wrong, Second::Step));
    }
    Ok(recovery.map_or(Second::Nothing, |code| Second::Recovery(second_factor::recognised(code))))
}

fn place(id: OperatorId) -> String {
    format!("operators/{id}/totp")
}

async fn open(state: &State, id: OperatorId, sealed: &[u8]) -> Result<FactorSecret, Problem> {
    let opened = state.sealer.open(TenantId::HOUSE, &place(id), sealed).await;
    Ok(FactorSecret::of(opened.map_err(|error| unreadable(&error))?))
}

fn unreadable(error: &VaultError) -> Refusal {
    tracing::error!(%error, "a second factor cannot be sealed or opened");
    Refusal::unavailable(
        "the second factor cannot be read now; a recovery code works, and an owner can invite you anew",
    )
}
