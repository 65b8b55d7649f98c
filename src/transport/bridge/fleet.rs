//! Which shard a session is on. Pure.

use std::collections::{BTreeSet, HashMap};

use super::links::LinkId;
use super::suspects::{CELLS, Cell, Suspects};
use crate::domain::time::Moment;

/// Sessions and their shards.
#[derive(Debug)]
pub struct Fleet {
    /// Most sessions on one.
    size: usize,
    /// Sessions on each.
    load: Vec<usize>,
    /// The shard of each cell that ever had a session. Nobody else is placed there.
    cells: [Option<usize>; CELLS],
    /// Shard and newest link of each session that a bridge may hold a socket of.
    placed: HashMap<String, (usize, LinkId)>,
    /// Links so far.
    links: u64,
    suspects: Suspects,
}

impl Fleet {
    /// Empty, for shards of `size`.
    pub fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            load: vec![],
            cells: [None; CELLS],
            placed: HashMap::new(),
            links: 0,
            suspects: Suspects::default(),
        }
    }

    /// The shard of a session that opens, and the link's number: the one that has it still, else its cell if it is set apart,
    /// else the fullest with room, so that few processes run; a new one is the next index.
    pub fn place(&mut self, now: Moment, session: &str) -> (usize, LinkId) {
        self.links += 1;
        let link = LinkId(self.links);
        if let Some((shard, newest)) = self.placed.get_mut(session) {
            *newest = link;
            return (*shard, link);
        }
        let shard = match self.suspects.cell_of(now, session) {
            Some(cell) => self.cell(cell),
            None => self.common(),
        };
        self.load[shard] += 1;
        self.placed.insert(session.to_owned(), (shard, link));
        (shard, link)
    }

    fn common(&mut self) -> usize {
        let room = |&shard: &usize| self.load[shard] < self.size && !self.cells.contains(&Some(shard));
        let fullest =
            (0..self.load.len()).filter(room).max_by_key(|&shard| (self.load[shard], usize::MAX - shard));
        fullest.unwrap_or_else(|| self.add())
    }

    /// Suspects that have to share a cell may be more than a shard has room for: there is none better for them.
    fn cell(&mut self, cell: Cell) -> usize {
        let shard = self.cells[cell].unwrap_or_else(|| self.add());
        self.cells[cell] = Some(shard);
        shard
    }

    fn add(&mut self) -> usize {
        self.load.push(0);
        self.load.len() - 1
    }

    /// How many sessions are on a shard.
    pub fn load_of(&self, shard: usize) -> usize {
        self.load.get(shard).copied().unwrap_or_default()
    }

    /// Where it is, if it is anywhere.
    pub fn shard_of(&self, session: &str) -> Option<usize> {
        self.placed.get(session).map(|&(shard, _)| shard)
    }

    /// A process died, and these sessions may be why. Whom that sets apart, from their next opening on.
    pub fn suspect<'a>(&mut self, now: Moment, sessions: &'a BTreeSet<String>) -> Vec<&'a str> {
        self.suspects.accuse(now, sessions)
    }

    /// How many sessions are set apart.
    pub fn apart(&self) -> usize {
        self.suspects.apart()
    }

    /// A bridge has let go of this link of a session. A newer one stays: its session has heard of the end before, and has
    /// opened again meanwhile, often as the same owner.
    pub fn release(&mut self, session: &str, link: LinkId) {
        if let Some(&(shard, newest)) = self.placed.get(session)
            && newest <= link
        {
            self.placed.remove(session);
            self.load[shard] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Moment = Moment(1_000_000);

    #[test]
    fn shards_fill_up_and_a_session_stays_until_it_is_let_go_of() {
        let mut fleet = Fleet::new(2);
        let places = ["a", "b", "c", "d", "e"].map(|session| fleet.place(NOW, session));
        assert_eq!(places.map(|(shard, _)| shard), [0, 0, 1, 1, 2]);
        let (_, first) = places[0];
        let (shard, second) = fleet.place(NOW, "a");
        assert_eq!(shard, 0, "a newer link goes where the older one may still hold a socket");
        fleet.release("a", first);
        assert_eq!(fleet.shard_of("a"), Some(0), "the newer link is there");
        fleet.release("a", second);
        assert_eq!(fleet.shard_of("a"), None);
        let (shard, link) = fleet.place(NOW, "f");
        assert_eq!(shard, 0, "the gap is filled before another process starts");
        fleet.release("f", link);
        fleet.release("f", link);
        fleet.release("nobody", link);
        assert_eq!(fleet.load, [1, 2, 1]);
        assert_eq!(fleet.place(NOW, "g").0, 0, "equally full: the first");
    }

    #[test]
    fn who_is_suspected_twice_opens_apart_and_nobody_is_placed_beside_it() {
        let mut fleet = Fleet::new(3);
        let killer = BTreeSet::from(["killer".to_owned()]);
        for session in ["killer", "b", "c"] {
            assert_eq!(fleet.place(NOW, session).0, 0);
        }
        let mut last = LinkId(0);
        for _ in 0..2 {
            fleet.suspect(NOW, &killer);
            let (shard, link) = fleet.place(NOW, "killer");
            assert_eq!(shard, 0, "its process may still have its socket");
            last = link;
        }
        fleet.release("killer", last);
        let (shard, alone) = fleet.place(NOW, "killer");
        assert_eq!(shard, 1);
        assert_eq!(fleet.place(NOW, "d").0, 0, "the place it left");
        assert_eq!(fleet.place(NOW, "e").0, 2, "a cell is no common shard, whatever room it has");
        fleet.suspect(NOW, &killer);
        fleet.release("killer", alone);
        let (shard, alone) = fleet.place(NOW, "killer");
        assert_eq!(shard, 1, "it dies alone, where it is");
        fleet.release("killer", alone);
        let later = NOW + Duration::from_secs(3601);
        assert_eq!(fleet.place(later, "killer").0, 2, "among the others again");
    }
}
