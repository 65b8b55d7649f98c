//! How each shard of an engine stands, for whoever looks: shards write it down as they go, and nobody has to ask them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use columba_bridge_protocol::Capability;

use super::shard::machine::State;
use crate::domain::time::{Moment, Reading};
use crate::ports::installation::ShardView;

/// Written by shards, read by anybody.
#[derive(Debug, Default)]
pub struct Board(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    shards: BTreeMap<usize, Shard>,
    /// What the last hello said.
    capabilities: Option<Vec<String>>,
}

#[derive(Debug)]
struct Shard {
    state: State,
    /// Processes so far.
    started: u64,
    resident_bytes: Option<u64>,
}

impl Board {
    /// How a shard stands, and how many processes it has had.
    pub fn stands(&self, shard: usize, state: State, started: u64) {
        let mut seen = self.seen();
        let new = Shard { state, started, resident_bytes: None };
        let known = seen.shards.entry(shard).or_insert(new);
        (known.state, known.started) = (state, started);
        if !matches!(state, State::Up { .. } | State::Leaving { .. }) {
            known.resident_bytes = None;
        }
    }

    /// What a shard's process says of its memory.
    pub fn weighs(&self, shard: usize, resident_bytes: u64) {
        if let Some(known) = self.seen().shards.get_mut(&shard) {
            known.resident_bytes = Some(resident_bytes);
        }
    }

    /// What a process said that it can do.
    pub fn can(&self, capabilities: &[Capability]) {
        self.seen().capabilities = Some(capabilities.iter().map(ToString::to_string).collect());
    }

    /// What the engine can do, once a process has said so.
    pub fn capabilities(&self) -> Option<Vec<String>> {
        self.seen().capabilities.clone()
    }

    /// All shards at `at`. `name` says what one is called, `load` how many sessions are on it.
    pub fn read(
        &self,
        at: Reading,
        name: impl Fn(usize) -> String,
        load: impl Fn(usize) -> usize,
    ) -> Vec<ShardView> {
        let ago = |moment: Moment| at.now.since(moment);
        let view = |(&index, shard): (&usize, &Shard)| {
            let (since, beat): (Option<Duration>, Option<Duration>) = match shard.state {
                State::Up { since, beat, .. } => (Some(ago(since)), Some(ago(beat))),
                _ => (None, None),
            };
            ShardView {
                id: name(index),
                state: word(shard.state),
                sessions: load(index) as u64,
                since: since.map(|ago| at.wall - ago),
                restarts: shard.started.saturating_sub(1),
                last_beat_ms: beat.map(|ago| ago.as_millis() as u64),
                resident_bytes: shard.resident_bytes,
            }
        };
        self.seen().shards.iter().map(view).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Idle | State::Gone => "idle",
        State::Starting { .. } => "starting",
        State::Up { .. } => "up",
        State::Leaving { .. } => "leaving",
        State::Resting { .. } | State::Dying { .. } => "down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{BootId, WallTime};

    #[test]
    fn a_shard_is_shown_as_it_stands_and_its_memory_goes_with_its_process() {
        let board = Board::default();
        let at = Reading { now: Moment(60_000), wall: WallTime(1_795_000_000_000), boot: BootId(1) };
        let read = || board.read(at, |shard| format!("native-{shard}"), |_| 7);
        assert_eq!((read(), board.capabilities()), (vec![], None));
        board.stands(0, State::Starting { deadline: Moment(1) }, 1);
        board.stands(0, State::Up { since: Moment(10_000), beat: Moment(58_000), unused: None }, 1);
        board.weighs(0, 1 << 20);
        let shown = read();
        let expected = ShardView {
            id: "native-0".to_owned(),
            state: "up",
            sessions: 7,
            since: Some(WallTime(at.wall.0 - 50_000)),
            restarts: 0,
            last_beat_ms: Some(2_000),
            resident_bytes: Some(1 << 20),
        };
        assert_eq!(shown, [expected]);
        board.stands(0, State::Dying { again: Moment(61_000) }, 1);
        board.stands(0, State::Starting { deadline: Moment(1) }, 2);
        let shown = read();
        assert_eq!((shown[0].state, shown[0].restarts, shown[0].resident_bytes), ("starting", 1, None));
    }
}
