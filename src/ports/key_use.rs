//! When each key was last used: noted in memory on every request, written to rows now and then.

use crate::domain::id::KeyId;
use crate::domain::time::WallTime;

/// Marks that are not written yet. Bounded by the keys that exist.
pub trait KeyUse: Send + Sync {
    /// A key was used at `at`. Cheap, never waits for a store.
    fn note(&self, key: KeyId, at: WallTime);

    /// What is to be written: each key used since, with the time of its last use.
    fn unwritten(&self) -> Vec<(KeyId, WallTime)>;

    /// These have been written. A key used meanwhile stays.
    fn written(&self, marks: &[(KeyId, WallTime)]);
}
