//! How handlers have things decided on a tenant's books: the rules are `billing::office`'s, and whoever asks signs.

use std::sync::{Arc, Mutex};

use super::problem::Problem;
use super::state::HttpState;
use crate::billing::office::Issuer;
use crate::domain::audit::Actor;
use crate::domain::id::TenantId;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::ledger::{Books, Matter, Outcome, Written};

/// Has `rule` decide on a tenant's books, and writes what it decides as `actor`'s act.
pub async fn decide(
    state: &HttpState,
    actor: &Actor,
    tenant: TenantId,
    matter: Matter,
    rule: impl Fn(&Issuer, &Books, WallTime) -> Result<Outcome, Refusal> + Send + Sync + 'static,
) -> Result<Written, Problem> {
    let (issuer, now) = (Arc::clone(&state.issuer), state.clock.wall());
    let ledger = Arc::clone(&state.ledger).signed(actor.clone());
    let written =
        ledger.decide(tenant, matter, Arc::new(move |books| rule(&issuer, books, now)), now).await?;
    // Caps may be others now, and whoever was stopped may go on.
    state.signals.wake_tenant(tenant);
    Ok(written)
}

/// What `rule` sees in a tenant's books. Nothing is written.
pub async fn look<T: Send + 'static>(
    state: &HttpState,
    tenant: TenantId,
    rule: impl Fn(&Issuer, &Books, WallTime) -> Result<T, Refusal> + Send + Sync + 'static,
) -> Result<T, Problem> {
    let (issuer, now) = (Arc::clone(&state.issuer), state.clock.wall());
    let seen = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&seen);
    let look = move |books: &Books| {
        let found = rule(&issuer, books, now)?;
        *shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(found);
        Ok(Outcome::default())
    };
    state.ledger.decide(tenant, Matter::default(), Arc::new(look), now).await?;
    let found = seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    Ok(found.ok_or_else(|| Refusal::unavailable("the books could not be read; try again"))?)
}
