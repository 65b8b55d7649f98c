//! Whether a thread turns, and which session it is serving. A thread that does not can only be watched: nothing can be
//! taken off it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::domain::id::SessionId;

/// What one thread shows of itself.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    serving: Mutex<Option<SessionId>>,
}

impl Pulse {
    /// The thread came round.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The session whose code runs on the thread at this instant.
    pub fn serving(&self) -> Option<SessionId> {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, session: Option<SessionId>) -> Option<SessionId> {
        std::mem::replace(&mut *self.serving.lock().unwrap_or_else(PoisonError::into_inner), session)
    }
}

/// One session's name tag on its thread.
#[derive(Debug, Clone)]
pub struct NameTag {
    pulse: Arc<Pulse>,
    session: SessionId,
}

impl NameTag {
    /// For `session` on the thread of `pulse`.
    pub fn new(session: SessionId, pulse: Arc<Pulse>) -> Self {
        Self { pulse, session }
    }

    /// Shows the name until the answer is dropped, by unwinding too.
    pub fn show(&self) -> Shown<'_> {
        Shown { pulse: &self.pulse, before: self.pulse.serve(Some(self.session)) }
    }

    /// A future that shows the name while it is polled.
    pub fn on<F: Future>(&self, work: F) -> Tagged<F> {
        Tagged { tag: self.clone(), work }
    }
}

/// A name being shown.
#[must_use]
pub struct Shown<'a> {
    pulse: &'a Pulse,
    before: Option<SessionId>,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.pulse.serve(self.before);
    }
}

pin_project! {
    /// A future with a name.
    pub struct Tagged<F> {
        tag: NameTag,
        #[pin]
        work: F,
    }
}

impl<F: Future> Future for Tagged<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _shown = this.tag.show();
        this.work.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::WallTime;

    #[test]
    fn a_name_is_shown_while_its_code_runs_and_no_longer_whatever_ends_it() {
        let pulse = Arc::<Pulse>::default();
        let [outer, inner] = [1, 2].map(|_| SessionId::mint(WallTime(0)));
        let tags = [outer, inner].map(|session| NameTag::new(session, Arc::clone(&pulse)));
        let shown = tags[0].show();
        let died = std::panic::catch_unwind(|| {
            let _shown = tags[1].show();
            assert_eq!(pulse.serving(), Some(inner));
            panic!("the test asked for this panic");
        });
        assert!(died.is_err());
        assert_eq!(pulse.serving(), Some(outer));
        drop(shown);
        assert_eq!(pulse.serving(), None);
    }
}
