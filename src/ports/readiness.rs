//! Whether this node should get more work, as the parts that know tell it.

/// Whether this node should get more work. Cheap, never fails.
pub trait Readiness: Send + Sync {
    /// Notes how a part stands. One that does not pass makes the node answer "not ready"; what it does it goes on doing.
    fn note(&self, part: &'static str, passes: bool);

    /// Notes whether a part is there that this node can do without. Without it the node is ready, and says "degraded".
    fn note_spare(&self, part: &'static str, is_there: bool);
}
