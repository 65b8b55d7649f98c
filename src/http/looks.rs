//! Looks that are open: which operator reads what a tenant's people wrote, why, and until when. They live as long as the
//! process; that one was opened stands in the audit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::presented::Acting;
use crate::domain::id::{LookId, OperatorId, SignInId, TenantId};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;

/// How long a look is open.
pub const OPEN: Duration = Duration::from_secs(30 * 60);
/// Looks open at once, of all operators.
const LOOKS: usize = 1_000;

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Names it.
    pub id: LookId,
    /// At whose messages.
    pub tenant: TenantId,
    /// Who looks.
    pub operator: OperatorId,
    /// From where: it counts with this sign-in only, or with their token.
    pub sign_in: Option<SignInId>,
    /// From then on it is closed.
    pub until: WallTime,
}

impl Look {
    /// Whether it is this caller's.
    pub fn is_of(&self, acting: &Acting) -> bool {
        let here = acting.sign_in.as_ref().map(|here| here.sign_in.id);
        (self.operator, self.sign_in) == (acting.identity.id, here)
    }
}

/// Those that are open.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<LookId, Look>>);

impl Looks {
    /// 429 while too many are open.
    pub fn admit(&self, now: WallTime) -> Result<(), Refusal> {
        let mut looks = self.lock();
        looks.retain(|_, look| now < look.until);
        if looks.len() < LOOKS {
            return Ok(());
        }
        Err(Refusal::rate_limited("too many looks are open; end one, or wait", Duration::from_secs(60)))
    }

    /// Opens one.
    pub fn open(&self, look: Look) {
        self.lock().insert(look.id, look);
    }

    /// The caller's own, while it is open.
    pub fn find(&self, id: LookId, acting: &Acting, now: WallTime) -> Option<Look> {
        self.lock().get(&id).filter(|look| look.is_of(acting) && now < look.until).cloned()
    }

    /// Ends one.
    pub fn end(&self, id: LookId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LookId, Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
