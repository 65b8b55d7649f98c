//! The route of one message through its ten stops.
//!
//! 1. `http::v1::messages` parses the body into a draft.
//! 2. `http::extract::tenant` says on whose behalf.
//! 3. [`accept`] checks what only rules can check; [`reference`](mod@reference) that what the message names is there.
//! 4. [`billing::quota`](crate::billing::quota) decides, inside the transaction of
//! 5. [`Outbox::accept`](crate::ports::outbox::Outbox::accept): message, hold, idempotency row and event; then `202`.
//! 6. [`Signals::wake`](crate::ports::signals::Signals::wake) rings at the session.
//! 7. The session's machine finds the slot due; [`claim`] takes the message and logs the attempt.
//! 8. [`attempt`] sends, in a task of its own.
//! 9. [`settle`] writes what became of it.
//! 10. The hub tells the subscribers. What the network says later, [`hear`] writes.

pub mod accept;
pub mod attempt;
pub mod claim;
pub mod hear;
pub mod numbers;
pub mod reference;
pub mod resend;
pub mod retry;
pub mod settle;
