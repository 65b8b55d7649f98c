//! What tenants ask. One file per resource; `routes` holds the table.

pub mod attachment;
pub mod audit;
pub mod chats;
mod content;
pub mod deliveries;
pub mod events;
pub mod feed;
pub mod health;
pub mod invoices;
pub mod limits;
pub mod media;
pub mod messages;
pub mod metrics;
pub mod pair;
pub mod pairing;
pub mod pairing_links;
pub mod payments;
pub mod sandbox;
pub mod sessions;
pub mod suppressions;
pub mod timeline;
pub mod usage;
pub mod usage_days;
pub mod webhooks;
pub mod window;

use super::state::HttpState;
use crate::domain::id::SessionId;
use crate::domain::refusal::Refusal;
use crate::domain::session::Session;
use crate::http::problem::Problem;
use crate::tenancy::authenticate::Principal;

/// A session of the caller's; 404 when it is absent or somebody else's, 403 when the key may not reach its engine.
async fn owned(state: &HttpState, principal: &Principal, id: SessionId) -> Result<Session, Problem> {
    let session = state.sessions.get(principal.scope, id).await?.ok_or_else(Refusal::not_found)?;
    principal.reach(session.engine)?;
    Ok(session)
}
