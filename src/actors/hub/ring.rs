//! The recent past of one tenant's feed, so that a client can go on where it was. Pure.

use std::collections::VecDeque;

use crate::domain::event::StatusEvent;

/// Events kept per tenant.
pub const KEPT: usize = 1_000;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It is the next one.
    InOrder,
    /// It was known.
    Known,
    /// Those from `first` up to before it are missing; it was not entered.
    Hole {
        /// First missing position.
        first: u64,
    },
}

/// A gapless run of a tenant's newest events.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    events: VecDeque<StatusEvent>,
    head: u64,
}

impl Ring {
    /// A ring whose past is elsewhere: the next event is `head` + 1.
    pub fn at(head: u64) -> Self {
        Self { events: VecDeque::new(), head }
    }

    /// Position of the newest event; 0 before the first.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Enters the next event.
    pub fn enter(&mut self, event: StatusEvent) -> Entered {
        if event.seq <= self.head {
            return Entered::Known;
        }
        if event.seq > self.head + 1 {
            return Entered::Hole { first: self.head + 1 };
        }
        self.head = event.seq;
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
        Entered::InOrder
    }

    /// Enters an event of the past while the ring is filled at start: a jump restarts the run.
    pub fn refill(&mut self, event: StatusEvent) {
        if let Entered::Hole { .. } = self.enter(event) {
            *self = Self::at(event.seq - 1);
            self.enter(event);
        }
    }

    /// Everything after `seq`, or `None` when some of it is no longer here, or `seq` was never reached.
    pub fn after(&self, seq: u64) -> Option<impl Iterator<Item = &StatusEvent>> {
        let missing = self.head.checked_sub(seq)?;
        let known = self.events.len() as u64;
        let skip = known.checked_sub(missing)?;
        Some(self.events.iter().skip(skip as usize))
    }
}
