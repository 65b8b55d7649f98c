//! What the operator asks. One file per resource; `routes` holds the table.

pub mod audit;
pub mod door;
pub mod feed;
pub mod invoices;
pub mod keys;
pub mod ledger;
pub mod log;
pub mod looks;
pub mod me;
pub mod messages;
pub mod operators;
pub mod overview;
pub mod plans;
pub mod second_factor;
pub mod sessions;
pub mod subscriptions;
pub mod system;
pub mod tenants;
pub mod transports;
pub mod webhooks;

use crate::domain::refusal::Fault;

const NAME: usize = 128;

/// What is wrong with the name of a tenant, key or operator, if anything.
fn wrong_name(name: &str) -> Option<Fault> {
    let fits = (1..=NAME).contains(&name.chars().count()) && !name.contains('\0');
    let detail = || format!("1 to {NAME} characters, none of them NUL");
    (!fits).then(|| Fault::new("/name", "out_of_range", detail()))
}
