//! One client's socket, as its subscriber and the HTTP connection share it: what the machine wants written waits here,
//! and the connection takes it whenever the socket has room. So events that queued meanwhile leave in one write, and
//! that the connection comes back for more is how it is known that the socket has taken what it was handed.
//!
//! Both ends live on one thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;

use super::framed::{self, Framed};
use super::machine::{CloseCode, Input, Machine, Output};
use super::messages::Frame;
use super::outlet::Outlet;
use super::wire::{Listening, Wire};
use crate::actors::hub::messages::{Filter, Resume};
use crate::domain::id::SessionId;
use crate::ports::clock::Clock;

/// Frames an idle socket has room for.
const KEPT: usize = 4;

/// What a client wants to hear.
pub(super) type Wish = (Filter, Option<Resume>);

struct Ends {
    machine: Machine,
    wire: Wire,
    clock: Arc<dyn Clock>,
    /// What the hub leaves for this client, once it has said what it wants.
    outlet: Option<Outlet>,
    /// Handed to the socket and not taken yet.
    handed: VecDeque<Bytes>,
    /// The machine waits to hear that what was handed over has been taken.
    writing: bool,
    /// The answer to the latest ping: an older one that was not sent yet is not missed.
    pong: Option<Bytes>,
    closed: bool,
    /// Who came last to take something.
    connection: Option<Waker>,
}

/// One client's socket. Its clones are the same one.
#[derive(Clone)]
pub(super) struct Line(Rc<RefCell<Ends>>);

impl Line {
    /// A socket on which nothing has been said; the greeting waits to be taken.
    pub(super) fn new(granted: Option<Vec<SessionId>>, listening: Listening, clock: Arc<dyn Clock>) -> Self {
        let (machine, greeting) = Machine::new(granted, clock.now());
        let mut ends = Ends {
            machine,
            wire: listening.into(),
            clock,
            outlet: None,
            handed: VecDeque::new(),
            writing: false,
            pong: None,
            closed: false,
            connection: None,
        };
        // A greeting asks the hub nothing.
        ends.perform(greeting);
        Self(Rc::new(RefCell::new(ends)))
    }

    /// Tells the machine; what the client then wants to hear is for the caller to ask the hub for.
    pub(super) fn tell(&self, input: Input) -> Option<Wish> {
        let mut ends = self.0.borrow_mut();
        let wish = ends.tell(input);
        ends.wake();
        wish
    }

    /// From now on events come from here.
    pub(super) fn attach(&self, outlet: Outlet) {
        self.0.borrow_mut().outlet = Some(outlet);
    }

    /// Closes the socket, after what was handed to it. One that is closed stays as it is.
    pub(super) fn close(&self, code: CloseCode) {
        // Said from a `Drop` as well, which may be part of unwinding.
        let Ok(mut ends) = self.0.try_borrow_mut() else { return };
        ends.perform(vec![Output::Close(vec![], code)]);
        ends.wake();
    }

    /// Whether the last frame has been handed over.
    pub(super) fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }
}

impl Ends {
    fn tell(&mut self, input: Input) -> Option<Wish> {
        let outputs = self.machine.on(self.clock.now(), input);
        self.perform(outputs)
    }

    fn perform(&mut self, outputs: Vec<Output>) -> Option<Wish> {
        let mut wish = None;
        for output in outputs {
            match output {
                _ if self.closed => {}
                Output::Write(frames) => self.hand(frames),
                Output::Subscribe(filter, resume) => wish = Some((filter, resume)),
                Output::Ping => {
                    self.writing = true;
                    self.handed.push_back(self.wire.ping());
                }
                Output::Pong(payload) => {
                    self.writing = true;
                    self.pong = Some(framed::pong(&payload));
                }
                Output::Close(last, code) => {
                    self.hand(last);
                    self.handed.push_back(self.wire.close(code));
                    self.closed = true;
                    self.outlet = None;
                }
            }
        }
        wish
    }

    fn hand(&mut self, frames: Vec<Framed>) {
        self.writing = true;
        self.handed.extend(frames.into_iter().map(|frame| self.wire.text(frame)));
    }

    fn wake(&self) {
        if self.closed || self.pong.is_some() || !self.handed.is_empty() {
            self.connection.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// The socket is free and everything has been taken: whether there is more now.
    fn refill(&mut self, context: &mut Context<'_>) -> bool {
        if std::mem::take(&mut self.writing) {
            if self.wire.is_one_way() {
                self.tell(Input::Heard(Frame::Alive));
            }
            self.tell(Input::Written);
        } else if self.machine.wants_more()
            && let Some(outlet) = &self.outlet
            && let Poll::Ready(left) = outlet.poll_left(context)
        {
            self.tell(Input::Left(left));
        } else {
            return false;
        }
        true
    }
}

/// What the socket is to be sent, frame by frame. To be polled when the socket has room; ends behind the close frame.
pub struct Outgoing(pub(super) Line);

impl Stream for Outgoing {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ends = &mut *self.0.0.borrow_mut();
        loop {
            if let Some(frame) = ends.pong.take().or_else(|| ends.handed.pop_front()) {
                return Poll::Ready(Some(Ok(frame)));
            }
            if ends.closed {
                return Poll::Ready(None);
            }
            if !ends.refill(context) {
                ends.handed.shrink_to(KEPT);
                match &mut ends.connection {
                    Some(connection) => connection.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                return Poll::Pending;
            }
        }
    }
}
