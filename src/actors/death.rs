//! How a session actor's end becomes known, whatever the cause.
//!
//! A panic in a handler or in a spawned future takes the actor and its context down; `stopped()` is no place for
//! side effects then. But the struct is dropped on every path, so a field with a `Drop` is the one reliable witness.
//!
//! The struct drops before the futures it spawned (measured on actix 0.13.5, after a stop and after a panic alike): on
//! another arbiter `Down` may overtake the closing of the socket by a moment. So every store call is fenced by epoch.

use actix::{Message, Recipient};

use super::signal;
use crate::domain::id::SessionId;
use crate::domain::session::Generation;

/// Fact: an actor is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Down {
    /// Whose actor.
    pub session: SessionId,
    /// Which incarnation; the registry ignores all but the current one.
    pub generation: Generation,
    /// Whether it went down unwinding.
    pub panicking: bool,
}

/// Reports [`Down`] when dropped. Held as a field by the actor it watches, and by nobody else.
#[must_use]
pub struct DownGuard {
    session: SessionId,
    generation: Generation,
    registry: Recipient<Down>,
}

impl DownGuard {
    /// Watches one incarnation on behalf of `registry`.
    pub fn new(session: SessionId, generation: Generation, registry: Recipient<Down>) -> Self {
        Self { session, generation, registry }
    }
}

impl Drop for DownGuard {
    fn drop(&mut self) {
        let down =
            Down { session: self.session, generation: self.generation, panicking: std::thread::panicking() };
        signal(&self.registry, down);
    }
}

/// Ends the process when dropped, unless it was disarmed: the registry and the hub are the root of the tree, and there
/// is nobody above them but the service manager.
#[must_use]
pub struct RootGuard {
    what: &'static str,
    armed: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl RootGuard {
    /// Watches a root actor. `armed` is cleared by an orderly shutdown.
    pub fn new(what: &'static str, armed: std::sync::Arc<std::sync::atomic::AtomicBool>) -> Self {
        Self { what, armed }
    }

    /// What arms it, and its kin.
    pub(super) fn armed(&self) -> std::sync::Arc<std::sync::atomic::AtomicBool> {
        std::sync::Arc::clone(&self.armed)
    }
}

/// What the process answers when a root actor dies or a thread of sessions stalls for good; `sysexits.h` calls it an
/// internal software error.
pub const EXIT_SOFTWARE: i32 = 70;

impl Drop for RootGuard {
    fn drop(&mut self) {
        if self.armed.load(std::sync::atomic::Ordering::SeqCst) {
            tracing::error!(
                actor = self.what,
                "root actor died; ending the process for the service manager to restart"
            );
            std::process::exit(EXIT_SOFTWARE);
        }
    }
}
