//! Which shard a session is on. Pure.

use std::collections::HashMap;

/// Sessions and their shards.
#[derive(Debug)]
pub struct Fleet {
    /// Most sessions on one.
    size: usize,
    /// Sessions on each.
    load: Vec<usize>,
    /// Shard and newest epoch of each session that a bridge may hold a socket of.
    placed: HashMap<String, (usize, i64)>,
}

impl Fleet {
    /// Empty, for shards of `size`.
    pub fn new(size: usize) -> Self {
        Self { size: size.max(1), load: vec![], placed: HashMap::new() }
    }

    /// The shard of a session that opens: the one that has it still, else the fullest with room, so that few processes run;
    /// a new one is the next index.
    pub fn place(&mut self, session: &str, epoch: i64) -> usize {
        if let Some((shard, newest)) = self.placed.get_mut(session) {
            *newest = epoch.max(*newest);
            return *shard;
        }
        let room = |&shard: &usize| self.load[shard] < self.size;
        let fullest =
            (0..self.load.len()).filter(room).max_by_key(|&shard| (self.load[shard], usize::MAX - shard));
        let shard = fullest.unwrap_or_else(|| {
            self.load.push(0);
            self.load.len() - 1
        });
        self.load[shard] += 1;
        self.placed.insert(session.to_owned(), (shard, epoch));
        shard
    }

    /// Where it is, if it is anywhere.
    pub fn shard_of(&self, session: &str) -> Option<usize> {
        self.placed.get(session).map(|&(shard, _)| shard)
    }

    /// A bridge has let go of this epoch of a session. A newer one stays.
    pub fn release(&mut self, session: &str, epoch: i64) {
        if let Some(&(shard, newest)) = self.placed.get(session)
            && newest <= epoch
        {
            self.placed.remove(session);
            self.load[shard] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_fill_up_and_a_session_stays_until_it_is_let_go_of() {
        let mut fleet = Fleet::new(2);
        let places: Vec<_> = ["a", "b", "c", "d", "e"].map(|session| fleet.place(session, 1)).to_vec();
        assert_eq!(places, [0, 0, 1, 1, 2]);
        assert_eq!(fleet.place("a", 2), 0, "a newer owner goes where the older one may still hold a socket");
        fleet.release("a", 1);
        assert_eq!(fleet.shard_of("a"), Some(0), "the newer owner is there");
        fleet.release("a", 2);
        assert_eq!(fleet.shard_of("a"), None);
        assert_eq!(fleet.place("f", 1), 0, "the gap is filled before another process starts");
        fleet.release("f", 9);
        fleet.release("f", 9);
        fleet.release("nobody", 1);
        assert_eq!(fleet.load, [1, 2, 1]);
        assert_eq!(fleet.place("g", 1), 0, "equally full: the first");
    }
}
