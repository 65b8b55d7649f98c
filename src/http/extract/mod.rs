//! What handlers take as arguments. Each answers at once, so arguments are judged from the first to the last:
//! `Query`, `Idempotent`, `Json` (400, 415) stand before `Tenant` or `Operator` (401, 403), and `Id` (404) after.

pub mod idempotency;
pub mod json;
pub mod operator;
pub mod path;
pub mod query;
pub mod tenant;
pub mod upload;

use actix_web::web;

use super::state::HttpState;

/// The state, as handlers take it.
pub type State = web::Data<HttpState>;
