//! Signing in and what hangs on it: what becomes of a person when they prove who they are, choose a password, or are asked
//! in anew. Pure: a person as they stand, what was proven outside, and what is to be written.

use rand::CryptoRng;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::keys::random_text;
use crate::domain::audit::{Act, Action};
use crate::domain::id::SignInId;
use crate::domain::operator::TokenHash;
use crate::domain::person::{Invitation, PasswordHash, Person, SIGN_INS_MAX, SecondFactor, SignIn};
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::time::WallTime;
use crate::ports::people::{Known, Outcome};

/// Letters and digits of a cookie or of a link: 256 bits.
const RANDOM: usize = 43;

/// The text of a cookie, or of a link that lets somebody in.
pub fn secret_text(rng: &mut impl CryptoRng) -> Zeroizing<String> {
    random_text(RANDOM, rng)
}

/// How such a text is recognised.
pub fn recognised(text: &str) -> TokenHash {
    TokenHash(Sha256::digest(text.as_bytes()).into())
}

/// What a page has to send beside its cookie. Whoever has the cookie can work it out; a page of another origin has not.
pub fn csrf_of(cookie: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"columba csrf ").chain_update(cookie.as_bytes()).finalize())
}

/// What was shown besides the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Second {
    /// Nothing.
    Nothing,
    /// The code of a step of time.
    Step(u64),
    /// A recovery code.
    Recovery(TokenHash),
    /// A code that is none of either.
    Wrong,
}

/// What somebody has proven outside the transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct Proven {
    /// The hash that their password was compared with.
    pub password: PasswordHash,
    /// The second factor.
    pub second: Second,
}

fn refused(code: &'static str, pointer: &str, detail: &str) -> Refusal {
    Refusal { faults: vec![Fault::new(pointer, code, detail)], ..Refusal::unauthorized(detail) }
}

/// 401, the same word for word whether it is the address or the password.
pub fn wrong_credentials() -> Refusal {
    refused("wrong_credentials", "", "no operator has this email address and password")
}

/// 401: the password was right.
pub fn second_factor_required() -> Refusal {
    refused(
        "second_factor_required",
        "/totp",
        "the password is right; the code that your phone shows is asked for too",
    )
}

/// 401.
pub fn wrong_code() -> Refusal {
    refused("wrong_code", "/totp", "this code is not the one that is shown now, or was used already")
}

/// 401: a link that is unknown, used or expired.
pub fn wrong_link() -> Refusal {
    refused(
        "wrong_link",
        "/token",
        "this link was used, has expired, or was replaced by another; ask for a new one",
    )
}

/// The person once what they proved is used up, or why it does not suffice.
fn proven(known: &Known, proven: &Proven) -> Result<Option<Person>, Refusal> {
    // Changed meanwhile: what was compared is no longer the password.
    if known.person.password.as_ref() != Some(&proven.password) {
        return Err(wrong_credentials());
    }
    let Some(factor) = known.person.asked_for() else { return Ok(None) };
    match &proven.second {
        Second::Nothing => Err(second_factor_required()),
        Second::Step(step) if *step > factor.last_step => {
            let second_factor = Some(SecondFactor { last_step: *step, ..factor.clone() });
            Ok(Some(Person { second_factor, ..known.person.clone() }))
        }
        Second::Recovery(hash) if known.person.recovery.contains(hash) => {
            let mut person = known.person.clone();
            person.recovery.retain(|code| code != hash);
            Ok(Some(person))
        }
        Second::Step(_) | Second::Recovery(_) | Second::Wrong => Err(wrong_code()),
    }
}

/// Sign-ins that have ended, and the oldest beyond what a person can have besides one more.
fn outlived(known: &Known, now: WallTime) -> Vec<SignInId> {
    let (open, ended): (Vec<&SignIn>, Vec<&SignIn>) = known.sign_ins.iter().partition(|one| one.is_open(now));
    let too_many = (open.len() + 1).saturating_sub(SIGN_INS_MAX);
    ended.into_iter().chain(open.into_iter().take(too_many)).map(|one| one.id).collect()
}

fn act(action: Action, known: &Known) -> Act {
    Act::new(action, "operator", known.account.id)
}

/// They sign in.
pub fn sign_in(known: &Known, shown: &Proven, opens: SignIn, now: WallTime) -> Result<Outcome, Refusal> {
    let person = proven(known, shown)?;
    let second = match (&shown.second, known.person.asked_for()) {
        (_, None) => None,
        (Second::Recovery(_), _) => Some("recovery_code"),
        _ => Some("totp"),
    };
    let act =
        act(Action::OperatorSignIn, known).after(&json!({"sign_in": opens.id, "second_factor": second}));
    Ok(Outcome {
        person,
        ends: outlived(known, now),
        opens: Some(opens),
        act: Some(act),
        ..Outcome::default()
    })
}

/// They give their password anew.
pub fn step_up(known: &Known, shown: &Proven, which: SignInId) -> Result<Outcome, Refusal> {
    let person = proven(known, shown)?;
    let act = act(Action::OperatorStepUp, known).after(&json!({"sign_in": which}));
    Ok(Outcome { person, steps_up: Some(which), act: Some(act), ..Outcome::default() })
}

/// They were asked in, come, and choose a password. Wherever they were signed in before, they are no longer.
pub fn welcome(
    known: &Known,
    link: &TokenHash,
    password: PasswordHash,
    opens: SignIn,
    now: WallTime,
) -> Result<Outcome, Refusal> {
    let fits = |invitation: &&Invitation| invitation.hash == *link && now < invitation.expires_at;
    known.person.invitation.as_ref().filter(fits).ok_or_else(wrong_link)?;
    let person = Person { password: Some(password), invitation: None, ..known.person.clone() };
    let act = act(Action::OperatorWelcome, known).after(&json!({"sign_in": opens.id}));
    let ends = known.sign_ins.iter().map(|one| one.id).collect();
    Ok(Outcome { person: Some(person), opens: Some(opens), ends, act: Some(act), ..Outcome::default() })
}

/// They choose another password; only `kept` stays signed in.
pub fn change_password(
    known: &Known,
    was: &PasswordHash,
    new: PasswordHash,
    kept: SignInId,
) -> Result<Outcome, Refusal> {
    if known.person.password.as_ref() != Some(was) {
        return Err(wrong_credentials());
    }
    let person = Person { password: Some(new), invitation: None, ..known.person.clone() };
    let ends: Vec<SignInId> = known.sign_ins.iter().map(|one| one.id).filter(|&id| id != kept).collect();
    let act = act(Action::OperatorPassword, known).after(&json!({"sign_ins_ended": ends.len()}));
    Ok(Outcome { person: Some(person), ends, act: Some(act), ..Outcome::default() })
}

/// They are to have a second factor; it counts once its first code was shown.
pub fn propose_factor(known: &Known, sealed: Vec<u8>) -> Result<Outcome, Refusal> {
    if known.person.asked_for().is_some() {
        return Err(Refusal::conflict(
            "there is a second factor already; remove it first: DELETE /v1/admin/me/totp",
        ));
    }
    let second_factor = Some(SecondFactor { sealed, confirmed_at: None, last_step: 0 });
    Ok(Outcome { person: Some(Person { second_factor, ..known.person.clone() }), ..Outcome::default() })
}

/// They have shown the first code of the second factor that lies `sealed`.
pub fn confirm_factor(
    known: &Known,
    sealed: &[u8],
    step: u64,
    recovery: Vec<TokenHash>,
    now: WallTime,
) -> Result<Outcome, Refusal> {
    let is_open = |factor: &&SecondFactor| factor.confirmed_at.is_none() && factor.sealed == sealed;
    let factor = known.person.second_factor.as_ref().filter(is_open).ok_or_else(nothing_to_confirm)?;
    let second_factor = Some(SecondFactor { confirmed_at: Some(now), last_step: step, ..factor.clone() });
    let act = act(Action::OperatorSecondFactor, known);
    let act = act.before(&json!({"second_factor": false})).after(&json!({"second_factor": true}));
    let person = Person { second_factor, recovery, ..known.person.clone() };
    Ok(Outcome { person: Some(person), act: Some(act), ..Outcome::default() })
}

/// 409.
pub fn nothing_to_confirm() -> Refusal {
    Refusal::conflict("there is no second factor to be confirmed; begin with POST /v1/admin/me/totp")
}

/// They want none any more.
pub fn remove_factor(known: &Known) -> Result<Outcome, Refusal> {
    if known.person.second_factor.is_none() {
        return Ok(Outcome::default());
    }
    let act = act(Action::OperatorSecondFactor, known);
    let act = act.before(&json!({"second_factor": true})).after(&json!({"second_factor": false}));
    let person = Person { second_factor: None, recovery: vec![], ..known.person.clone() };
    Ok(Outcome { person: Some(person), act: Some(act), ..Outcome::default() })
}

/// Somebody asks them in anew: the old link, the password and every sign-in end now. Whoever has lost their phone too is asked
/// for no second factor when they have come.
pub fn invite(known: &Known, invitation: Invitation, forget_factor: bool) -> Outcome {
    let said = json!({"expires_at": invitation.expires_at, "second_factor_removed": forget_factor});
    let mut person = Person { invitation: Some(invitation), password: None, ..known.person.clone() };
    if forget_factor {
        (person.second_factor, person.recovery) = (None, vec![]);
    }
    let act = act(Action::OperatorInvite, known).after(&said);
    let ends = known.sign_ins.iter().map(|one| one.id).collect();
    Outcome { person: Some(person), ends, act: Some(act), ..Outcome::default() }
}

/// They sign out somewhere; 404 when they are not signed in there.
pub fn sign_out(known: &Known, which: SignInId) -> Result<Outcome, Refusal> {
    if !known.sign_ins.iter().any(|one| one.id == which) {
        return Err(Refusal::not_found());
    }
    let act = act(Action::OperatorSignOut, known).after(&json!({"sign_ins": [which]}));
    Ok(Outcome { ends: vec![which], act: Some(act), ..Outcome::default() })
}

/// They sign out wherever they are.
pub fn sign_out_everywhere(known: &Known) -> Outcome {
    let ends: Vec<SignInId> = known.sign_ins.iter().map(|one| one.id).collect();
    let act = act(Action::OperatorSignOut, known).after(&json!({"sign_ins": ends}));
    Outcome { ends, act: Some(act), ..Outcome::default() }
}
