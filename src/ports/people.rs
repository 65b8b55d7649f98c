//! Operators who are people: what they sign in with, and where. Read when a cookie is shown, written rarely.

use std::sync::Arc;

use async_trait::async_trait;

use super::store::{StoreError, WriteError};
use crate::domain::audit::{Act, Actor};
use crate::domain::email::Email;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::operator::{OperatorAccount, TokenHash};
use crate::domain::person::{Person, SignIn};
use crate::domain::refusal::Refusal;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;

/// A person as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who they are to the others.
    pub account: OperatorAccount,
    /// What they sign in with.
    pub person: Person,
    /// Where they are signed in, oldest first; some may have ended.
    pub sign_ins: Vec<SignIn>,
}

/// By what a person is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Which operator.
    Operator(OperatorId),
    /// The address they sign in with.
    Email(Email),
    /// The link they were given.
    Invitation(TokenHash),
}

/// What a rule makes of a person; what is not named stays.
#[derive(Default)]
pub struct Outcome {
    /// What they sign in with from now on.
    pub person: Option<Person>,
    /// A place where they are signed in from now on.
    pub opens: Option<SignIn>,
    /// A sign-in for which they gave their password just now.
    pub steps_up: Option<SignInId>,
    /// Where they no longer are.
    pub ends: Vec<SignInId>,
    /// What the audit is told.
    pub act: Option<Act>,
}

/// Decides on a person as they stand within the transaction; may be asked more than once.
pub type Rule = Arc<dyn Fn(&Known) -> Result<Outcome, Refusal> + Send + Sync>;

/// People who may sign in. Whoever was removed is not among them.
#[async_trait]
pub trait People: Send + Sync {
    /// Whether nobody can sign in or was invited.
    async fn is_empty(&self, scope: SystemScope) -> Result<bool, StoreError>;

    /// One of them.
    async fn find(&self, scope: SystemScope, whom: Whom) -> Result<Option<Known>, StoreError>;

    /// A sign-in by its cookie, whether it has ended or not.
    async fn sign_in(&self, scope: SystemScope, hash: TokenHash) -> Result<Option<SignIn>, StoreError>;

    /// Writes that a sign-in was used. No act of anybody's.
    async fn seen(&self, scope: SystemScope, id: SignInId, at: WallTime) -> Result<(), StoreError>;

    /// Writes what `rule` makes of a person, with the audit's entry by `by`, in one transaction. 404 `not_found` when there is no
    /// such person; and whatever the rule refuses with.
    async fn decide(&self, by: Actor, id: OperatorId, rule: Rule, at: WallTime) -> Result<(), WriteError>;
}
