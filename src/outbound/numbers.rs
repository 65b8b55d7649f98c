//! Whether numbers have accounts, for whoever asks: from memory where it is fresh, else from the network, within what a
//! session may ask for in a day.

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::domain::id::SessionId;
use crate::domain::phone::Phone;
use crate::domain::restraint::Approach;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::contacts::{Considered, Contacts};
use crate::ports::questions::{Answer, Question};
use crate::ports::store::StoreError;
use crate::ports::supervisor::{Supervisor, SupervisorError};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// On whose behalf.
    pub scope: TenantScope,
    /// Through which session.
    pub session: SessionId,
    /// Which numbers, no two alike; at most [`NUMBERS_MAX`](crate::ports::questions::NUMBERS_MAX).
    pub phones: Vec<Phone>,
    /// What binds the session towards people who never wrote.
    pub approach: Option<Approach>,
    /// When.
    pub at: WallTime,
}

/// What is known of one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CheckedNumber")]
pub struct Checked {
    /// Which.
    pub phone: Phone,
    /// Whether it has an account; null while it may not be asked for.
    pub exists: Option<bool>,
    /// When it may be.
    pub retry_at: Option<WallTime>,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session's network was not asked, or did not answer.
    #[error(transparent)]
    Network(#[from] SupervisorError),
}

/// One entry for each number, in their order. What the network says is noted for later.
pub async fn check(
    contacts: &dyn Contacts,
    supervisor: &dyn Supervisor,
    wanted: Wanted,
) -> Result<Vec<Checked>, CheckError> {
    let Wanted { scope, session, phones, approach, at } = wanted;
    let considered = contacts.consider(scope, session, phones.clone(), approach, at).await?;
    let open: Vec<Phone> = phones
        .iter()
        .zip(&considered)
        .filter(|(_, verdict)| **verdict == Considered::Ask)
        .map(|(phone, _)| phone.clone())
        .collect();
    let said = match open.is_empty() {
        true => vec![],
        false => match supervisor.ask(session, Question::Numbers(open.clone())).await? {
            Answer::Numbers(said) if said.len() == open.len() => said,
            _ => return Err(SupervisorError::Busy.into()),
        },
    };
    for (phone, &has_account) in open.into_iter().zip(&said) {
        contacts.note_account(scope.tenant(), phone, has_account, at).await?;
    }
    let mut said = said.into_iter();
    let entry = |(phone, verdict)| match verdict {
        Considered::Known(exists) => Checked { phone, exists: Some(exists), retry_at: None },
        Considered::Ask => Checked { phone, exists: said.next(), retry_at: None },
        Considered::NotBefore(at) => Checked { phone, exists: None, retry_at: Some(at) },
    };
    Ok(phones.into_iter().zip(considered).map(entry).collect())
}
