//! Shells around machines.
//!
//! ```text
//! process                      ends with 70 when registry or hub dies; the service manager restarts it
//! ├── registry                 one; holds table id → (generation, phase) and the factory
//! │   ├── session/ses_…#1      exit → new generation after 1, 2, 4, 8, 16 s; fifth exit in 10 min → quarantined;
//! │   │   │                    half-open probe after 15 min, 1 h, 6 h; a fifth of all within a minute → none restarted
//! │   │   ├── link             a stream polled by the actor: dies with it, and the socket with the stream
//! │   │   ├── timer            one, one-shot, stamped with an epoch
//! │   │   └── attempt          tasks of their own: whoever sent settles, even after the actor died
//! │   └── session/ses_…#4
//! ├── hub                      one; rings of recent events
//! │   └── lane                 one a thread of HTTP with listeners; hands out there what the hub handed it
//! │       └── subscriber       one a websocket; never restarted, the client reconnects and resumes
//! ├── follower                 only where another process writes; hands the hub what that one commits
//! ├── couriers                 one keeper; a courier an endpoint that has something to deliver, begun anew after a panic
//! ├── housekeeper              one; restarted by its own next tick: all its work is in rows
//! └── watchdog                 one; names the session that stalls a thread, and ends a process that is stalled for good
//! ```
//!
//! `actix::Supervisor` is not in the picture: it does not survive a panic, and after a stop it keeps the old struct.
//! The registry builds a fresh actor from durable state instead.

use actix::{Message, Recipient};

pub mod admission;
pub mod arbiters;
pub mod couriers;
pub mod death;
pub mod follower;
pub mod housekeeper;
pub mod hub;
pub mod pulse;
pub mod registry;
pub mod session;
pub mod standing;
pub mod subscriber;
pub mod watchdog;

/// Sends without waiting, and without knowing whether anybody is there.
///
/// This is the one sanctioned `do_send`. It queues past every bound and drops silently once the receiver is gone,
/// so it may carry only what is bounded by construction (a permit inside, or one per lifetime) and
/// what nobody misses when it is lost: wake hints, which a sweep repeats, and death notices to a registry
/// whose own death ends the process.
fn signal<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    #[expect(clippy::disallowed_methods, reason = "the one sanctioned place, see above")]
    to.do_send(message);
}
