//! What a tenant knows of the numbers it writes to: who wants no messages, and who has an account at all.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;

use super::store::{StoreError, WriteError};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, SuppressionId, TenantId};
use crate::domain::page::{Page, Slice};
use crate::domain::phone::Phone;
use crate::domain::restraint::Approach;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::domain::word::words;

words! {
    /// Who said that a number wants no messages.
    pub enum StoppedBy {
        /// The person, in a message.
        Contact,
        /// The tenant.
        Tenant,
    }
}

/// A number that wants no messages of a tenant, on whichever session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suppression {
    /// Names this wish, so that no number stands in a path. Another one is another wish.
    pub id: SuppressionId,
    /// Which number; `…@lid` where WhatsApp does not show it.
    pub phone: Chat,
    /// Since when.
    pub since: WallTime,
    /// Who said so.
    pub by: StoppedBy,
}

/// A wish for no messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Its name.
    pub id: SuppressionId,
    /// Since when.
    pub at: WallTime,
    /// Whose.
    pub by: StoppedBy,
}

impl Stop {
    /// A person's own, said in this message.
    pub fn said_in(message: MessageId, at: WallTime) -> Self {
        Self { id: message.uuid().into(), at, by: StoppedBy::Contact }
    }

    /// What stands when `new` is said while `self` stands: the older one, but a person's own word weighs more than the
    /// tenant's.
    pub fn and(self, new: Self) -> Self {
        if new.by == StoppedBy::Contact { Self { by: StoppedBy::Contact, ..self } } else { self }
    }
}

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contact {
    /// Whether it wants no messages.
    pub stopped: Option<Stop>,
    /// Whether it has an account, and when the network said so.
    pub account: Option<(bool, WallTime)>,
}

/// Whether a number is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Considered {
    /// It is known, and believed still, whether it has an account.
    Known(bool),
    /// The network may be asked.
    Ask,
    /// Not before then: so many strangers were written to or asked for as may be in a day.
    NotBefore(WallTime),
}

/// The contacts of tenants. While a number is suppressed its messages are refused with 422 `suppressed`, and what waited
/// for it is canceled.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// A tenant's suppressed numbers, newest wish first.
    async fn suppressions(&self, scope: TenantScope, page: Page) -> Result<Slice<Suppression>, StoreError>;

    /// Suppresses a number on behalf of the tenant, under this name. Idempotent: a wish that stands stays as it is.
    async fn suppress(
        &self,
        scope: TenantScope,
        id: SuppressionId,
        phone: Phone,
        at: WallTime,
    ) -> Result<Suppression, WriteError>;

    /// Takes back what the tenant wished. 404 for what is no wish of theirs, 409 `conflict` where the person asked for it:
    /// only their own word opens it again.
    async fn allow(&self, scope: TenantScope, id: SuppressionId) -> Result<(), WriteError>;

    /// Which of these numbers a session may ask the network for, in their order. Asking counts as
    /// [writing to somebody](Approach) who never wrote, and is noted as that in the same transaction; without an `approach`
    /// nothing binds. Of a session that is absent or somebody else's nothing is asked.
    async fn consider(
        &self,
        scope: TenantScope,
        session: SessionId,
        phones: Vec<Phone>,
        approach: Option<Approach>,
        at: WallTime,
    ) -> Result<Vec<Considered>, StoreError>;

    /// Notes groups that the session's account is in: it may write to them.
    async fn note_groups(
        &self,
        scope: TenantScope,
        session: SessionId,
        groups: Vec<Chat>,
        at: WallTime,
    ) -> Result<(), StoreError>;

    /// Notes what the network said of a number. Not fenced: it is true whoever asked.
    async fn note_account(
        &self,
        tenant: TenantId,
        phone: Phone,
        has_account: bool,
        at: WallTime,
    ) -> Result<(), StoreError>;
}
