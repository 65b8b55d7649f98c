//! Uses of keys in the memory of this process. A process that dies forgets at most the last minute.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::domain::id::KeyId;
use crate::domain::time::WallTime;
use crate::ports::key_use::KeyUse;

/// [`KeyUse`] in memory. Only the first use of a key since the last writing takes the lock for itself.
#[derive(Default)]
pub struct MemoryKeyUse {
    last: RwLock<HashMap<KeyId, AtomicI64>>,
}

impl KeyUse for MemoryKeyUse {
    fn note(&self, key: KeyId, at: WallTime) {
        {
            let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(mark) = last.get(&key) {
                mark.fetch_max(at.0, Ordering::Relaxed);
                return;
            }
        }
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.entry(key).or_default().fetch_max(at.0, Ordering::Relaxed);
    }

    fn unwritten(&self) -> Vec<(KeyId, WallTime)> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(|(&key, mark)| (key, WallTime(mark.load(Ordering::Relaxed)))).collect()
    }

    fn written(&self, marks: &[(KeyId, WallTime)]) {
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        for (key, at) in marks {
            if last.get(key).is_some_and(|mark| mark.load(Ordering::Relaxed) <= at.0) {
                last.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_to_be_written_once_with_its_last_use_and_what_comes_meanwhile_is_not_lost() {
        let uses = MemoryKeyUse::default();
        let (a, b) = (KeyId::mint(WallTime(1)), KeyId::mint(WallTime(1)));
        for (key, at) in [(a, 10), (b, 11), (a, 13), (a, 12)] {
            uses.note(key, WallTime(at));
        }
        let mut marks = uses.unwritten();
        marks.sort();
        assert_eq!(marks, [(a, WallTime(13)), (b, WallTime(11))]);
        uses.note(b, WallTime(14));
        uses.written(&marks);
        assert_eq!(uses.unwritten(), [(b, WallTime(14))]);
        uses.written(&[(b, WallTime(14))]);
        assert_eq!(uses.unwritten(), []);
        assert!(uses.last.read().expect("not poisoned").is_empty(), "what is written takes no memory");
    }
}
