//! Operators: programs with a token, and people who sign in, each with a role. The first, `root`, is whoever has the token in the
//! data directory.

use std::sync::Arc;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{NAME, wrong_name};
use crate::domain::audit::SYSTEM;
use crate::domain::email::Email;
use crate::domain::id::OperatorId;
use crate::domain::operator::{OperatorAccount, ROOT, Role};
use crate::domain::page::Page;
use crate::domain::person::{INVITED, Invitation, Person};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json, JsonOrNothing};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::{Listing, cut};
use crate::http::openapi::operation::{self, Operation, get, post};
use crate::http::openapi::sample;
use crate::ports::directory::OperatorPatch;
use crate::ports::people::Known;
use crate::tenancy::operator::OperatorToken;
use crate::tenancy::sign_in::{self, recognised, secret_text};

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "Operator")]
struct OperatorRecord {
    id: OperatorId,
    /// What they are called, in the audit too.
    name: String,
    /// What a person signs in with; null for a program, which has a token.
    email: Option<Email>,
    role: Role,
    /// Null for `root`, who came with the data directory.
    created_at: Option<WallTime>,
    /// From then on they are refused.
    expires_at: Option<WallTime>,
    /// Since then they are refused, by decision.
    revoked_at: Option<WallTime>,
}

/// The answer to `POST /operators`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OperatorShownOnce")]
struct NewOperatorRecord<'a> {
    #[serde(flatten)]
    record: OperatorRecord,
    /// The token itself. Null for a person; and in a replay: it is shown once, and the first answer had it.
    token: Option<&'a str>,
    /// The path of the page where a person chooses a password, to be put behind the server's address. Null for a program, and in a
    /// replay.
    invitation: Option<&'a str>,
    /// From then on the invitation is refused.
    invitation_expires_at: Option<WallTime>,
}

/// The answer to `POST /operators/{id}/invitation`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
struct InvitationRecord<'a> {
    /// The path of the page where they choose a password, to be put behind the server's address. Shown this once.
    invitation: &'a str,
    /// From then on it is refused.
    invitation_expires_at: WallTime,
}

/// The answer to `POST /operators/setup-link`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SetupLink")]
struct SetupLinkRecord<'a> {
    /// The path of the page where the first account is made, to be put behind the server's address. Shown this once.
    setup: &'a str,
}

fn record(operator: &OperatorAccount) -> OperatorRecord {
    OperatorRecord {
        id: operator.id,
        name: operator.name.clone(),
        email: operator.email.clone(),
        role: operator.role,
        created_at: Some(operator.created_at),
        expires_at: operator.expires_at,
        revoked_at: operator.revoked_at,
    }
}

fn root() -> OperatorRecord {
    OperatorRecord {
        id: OperatorId::ROOT,
        name: ROOT.to_owned(),
        email: None,
        role: Role::Owner,
        created_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// The body of `POST /operators`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// What they are called; `root` and `system` are taken.
    #[schemars(length(min = 1, max = NAME))]
    name: String,
    /// What they sign in with, if they are a person: then there is an invitation, and no token.
    #[serde(default)]
    #[schemars(with = "Option<Email>")]
    email: Option<String>,
    /// `viewer`, if it is not said: who is to change things is named as such.
    #[serde(default)]
    role: Option<Role>,
    /// From then on they are refused; later than now.
    #[serde(default)]
    expires_at: Option<WallTime>,
}

/// The body of `PATCH /operators/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OperatorChange")]
pub struct Change {
    /// What they are called; `root` and `system` are taken.
    #[serde(default)]
    #[schemars(length(min = 1, max = NAME))]
    name: Option<String>,
    #[serde(default)]
    role: Option<Role>,
}

/// The body of `POST /operators/{id}/invitation`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InvitationAsked")]
pub struct InvitationAsked {
    /// Whether they have lost their phone and the codes on paper too: then no second factor is asked for any more.
    #[serde(default)]
    remove_second_factor: bool,
}

impl Form for NewOperator {}
impl Form for Change {}
impl Form for InvitationAsked {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let account = sample::operator();
    let made = NewOperatorRecord {
        record: record(&account),
        token: Some("col_op_…"),
        invitation: None,
        invitation_expires_at: None,
    };
    let expires = sample::NOW + INVITED;
    vec![
        post("/v1/admin/operators", create)
            .named("createOperator", "Make an operator")
            .about(
                "With an `email` it is a person, who comes by the invitation and chooses a password; without, a program with a \
                 token. A hundred can come in.",
            )
            .asking(json!({"name": "on call", "role": "support"}))
            .answering(201, "The operator, with the token or the invitation, shown this once.", &made)
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        get("/v1/admin/operators", list)
            .named("listOperators", "List operators")
            .about("Those that were deleted too; `root` last.")
            .answering(200, "One page.", &Listing::whole(vec![record(&account), root()])),
        operation::patch("/v1/admin/operators/{id}", patch)
            .named("updateOperator", "Change an operator")
            .about("The last owner who can sign in stays one: 409.")
            .asking(json!({"role": "admin"}))
            .answering(200, "The operator.", &record(&account))
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        operation::delete("/v1/admin/operators/{id}", delete)
            .named("deleteOperator", "Delete an operator")
            .about(
                "They are refused at once and for good, wherever they are signed in. `root` cannot be deleted, nor the last \
                 owner who can sign in: 409.",
            )
            .answering_nothing(204, "They cannot come in any more.")
            .refusing(&[Code::Conflict]),
        post("/v1/admin/operators/{id}/invitation", invite)
            .named("inviteOperator", "Invite a person anew")
            .about("The way back for whoever forgot their password: the old one and every sign-in of theirs end now.")
            .asking(json!({"remove_second_factor": true}))
            .answering(
                201,
                "The link, shown this once.",
                &InvitationRecord { invitation: "/ui/welcome#4Fj0…", invitation_expires_at: expires },
            )
            .refusing(&[Code::Conflict]),
        post("/v1/admin/operators/setup-link", setup_link)
            .named("renewSetupLink", "Make a new link to the first account")
            .about("While there is no person. The one before opens nothing any more.")
            .answering(201, "The link, shown this once.", &SetupLinkRecord { setup: "/ui/setup#4Fj0…" })
            .refusing(&[Code::Conflict]),
    ]
}

/// What is wrong with the name of an operator, if anything.
pub fn wrong_operator_name(name: &str) -> Option<Fault> {
    if [ROOT, SYSTEM].contains(&name) {
        let detail = format!("{ROOT} and {SYSTEM} name others in the audit; take another name");
        return Some(Fault::new("/name", "not_allowed", detail));
    }
    wrong_name(name)
}

impl NewOperator {
    /// The address, or everything that is wrong.
    fn check(&self, now: WallTime) -> Result<Option<Email>, Refusal> {
        let mut faults: Vec<Fault> = wrong_operator_name(&self.name).into_iter().collect();
        let email = self.email.as_deref().map(str::parse::<Email>).transpose();
        let email =
            email.map_err(|error| faults.push(Fault::new("/email", "not_allowed", error.to_string())));
        if self.expires_at.is_some_and(|end| end <= now) {
            faults.push(Fault::new("/expires_at", "out_of_range", "later than now"));
        }
        match email {
            Ok(email) if faults.is_empty() => Ok(email),
            _ => Err(Refusal::invalid(faults)),
        }
    }
}

/// An invitation, and the path of its page.
fn invitation(now: WallTime) -> (Invitation, Zeroizing<String>) {
    let token = secret_text(&mut rand::rng());
    let invitation = Invitation { hash: recognised(&token), expires_at: now + INVITED };
    (invitation, Zeroizing::new(format!("/ui/welcome#{}", *token)))
}

/// `POST /operators`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewOperator>,
    operator: Operator<may::Afresh<may::ManageOperators>>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let now = state.clock.wall();
    let email = body.check(now)?;
    let id = OperatorId::mint(now);
    let token = email.is_none().then(|| OperatorToken::mint(&mut rand::rng()));
    let asked_in = email.is_some().then(|| invitation(now));
    let person = asked_in.as_ref().map(|(invitation, _)| Person::invited(id, invitation.clone()));
    let account = OperatorAccount {
        id,
        name: body.name,
        hash: token.as_ref().map(OperatorToken::hash),
        role: body.role.unwrap_or(Role::Viewer),
        email,
        created_at: now,
        expires_at: body.expires_at,
        revoked_at: None,
    };
    let made = operator.signs(&state.directory).create_operator(account, person, idempotent.0).await?;
    let replayed = made.is_replayed();
    let record = record(&made.into_inner());
    let (token, asked_in) = (token.filter(|_| !replayed), asked_in.filter(|_| !replayed));
    let shown = NewOperatorRecord {
        record,
        token: token.as_ref().map(OperatorToken::expose),
        invitation: asked_in.as_ref().map(|(_, path)| path.as_str()),
        invitation_expires_at: asked_in.as_ref().map(|(invitation, _)| invitation.expires_at),
    };
    created(StatusCode::CREATED, replayed, shown)
}

/// `GET /operators`: revoked ones too; `root` last, being the oldest.
pub async fn list(state: State, Query(page): Query<Page>, _: Operator) -> Answer {
    let snapshot = state.directory.snapshot();
    let all = snapshot.operators.values().map(record).chain([root()]);
    let slice = cut(all, |operator| operator.id.uuid(), page);
    ok(Listing::by_id(&slice, |operator| operator.id.uuid(), OperatorRecord::clone))
}

/// `PATCH /operators/{id}`.
pub async fn patch(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Change>,
    operator: Operator<may::Afresh<may::ManageOperators>>,
    Id(id): Id<OperatorId>,
) -> Answer {
    refuse_root(id)?;
    if let Some(fault) = body.name.as_deref().and_then(wrong_operator_name) {
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let patch = OperatorPatch { name: body.name, role: body.role };
    ok(record(&operator.signs(&state.directory).patch_operator(id, patch).await?))
}

fn refuse_root(id: OperatorId) -> Result<(), Refusal> {
    if id != OperatorId::ROOT {
        return Ok(());
    }
    let detail = "root is whoever can read the data directory, and cannot be changed or deleted over HTTP; to replace the \
                  token, delete the file operator.token and start the server again";
    Err(Refusal::conflict(detail))
}

/// `DELETE /operators/{id}`: refused at once and for good.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::Afresh<may::ManageOperators>>,
    Id(id): Id<OperatorId>,
) -> Answer {
    refuse_root(id)?;
    operator.signs(&state.directory).revoke_operator(id, state.clock.wall()).await?;
    done()
}

/// `POST /operators/{id}/invitation`.
pub async fn invite(
    state: State,
    _: Query<Nothing>,
    JsonOrNothing(body): JsonOrNothing<InvitationAsked>,
    operator: Operator<may::Afresh<may::ManageOperators>>,
    Id(id): Id<OperatorId>,
) -> Answer {
    let snapshot = state.directory.snapshot();
    let account = snapshot.operators.get(&id).filter(|account| account.revoked_at.is_none());
    if account.ok_or_else(Refusal::not_found)?.email.is_none() {
        let detail =
            "this operator is a program with a token; only a person, who has an email address, is invited";
        return Err(Refusal::conflict(detail).into());
    }
    let now = state.clock.wall();
    let (invitation, path) = invitation(now);
    let invitation_expires_at = invitation.expires_at;
    let rule = move |known: &Known| Ok(sign_in::invite(known, invitation.clone(), body.remove_second_factor));
    state.people.decide(operator.actor().clone(), id, Arc::new(rule), now).await?;
    created(StatusCode::CREATED, false, InvitationRecord { invitation: &path, invitation_expires_at })
}

/// `POST /operators/setup-link`.
pub async fn setup_link(
    state: State,
    _: Query<Nothing>,
    _: Operator<may::Afresh<may::ManageOperators>>,
) -> Answer {
    if !state.people.is_empty(SystemScope).await? {
        return Err(Refusal::not_the_first().into());
    }
    created(StatusCode::CREATED, false, SetupLinkRecord { setup: &state.setup_link.renew() })
}
