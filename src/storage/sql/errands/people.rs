//! What people sign in with, and where they are signed in.

use async_trait::async_trait;

use crate::domain::audit::Actor;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::people::Rule;
use crate::ports::store::{StoreError, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::people;
use crate::storage::sql::writer::Errand;

const END: &str = "DELETE FROM sign_in WHERE id = $1 AND operator_id = $2";

const END_ALL: &str = "DELETE FROM sign_in WHERE operator_id = $1";

const STEP_UP: &str =
    "UPDATE sign_in SET stepped_up_at = $1, seen_at = $1 WHERE id = $2 AND operator_id = $3";

const SEEN: &str = "UPDATE sign_in SET seen_at = $1 WHERE id = $2 AND seen_at < $1";

/// Ends every sign-in of an operator.
pub(super) async fn end_all(desk: &Desk<'_>, id: OperatorId) -> Result<(), Fault> {
    dialect::execute(desk.txn, END_ALL, [id.uuid().into()]).await.map(drop)
}

/// Writes what a rule makes of a person.
pub struct DecidePerson {
    pub by: Actor,
    pub id: OperatorId,
    pub rule: Rule,
    pub at: WallTime,
}

#[async_trait]
impl Errand for DecidePerson {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let Some(known) = people::known(desk.txn, self.id).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        let outcome = match (self.rule)(&known) {
            Ok(outcome) => outcome,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let id = self.id.uuid();
        if let Some(person) = &outcome.person {
            people::put(desk.txn, person).await?;
        }
        for ended in &outcome.ends {
            dialect::execute(desk.txn, END, [ended.uuid().into(), id.into()]).await?;
        }
        if let Some(opened) = &outcome.opens {
            people::open(desk.txn, opened).await?;
        }
        if let Some(stepped) = outcome.steps_up {
            dialect::execute(desk.txn, STEP_UP, [self.at.0.into(), stepped.uuid().into(), id.into()]).await?;
        }
        if let Some(act) = outcome.act {
            audit::record(desk, &self.by, act).await?;
        }
        Ok(Ok(()))
    }
}

/// Writes that a sign-in was used.
pub struct NoteSignIn {
    pub id: SignInId,
    pub at: WallTime,
}

#[async_trait]
impl Errand for NoteSignIn {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        dialect::execute(desk.txn, SEEN, [self.at.0.into(), self.id.uuid().into()]).await?;
        Ok(Ok(()))
    }
}
