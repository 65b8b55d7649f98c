//! What an operator hears of a shard.

use super::machine::{Breach, NotStarted, Trouble};
use crate::meters;
use crate::transport::bridge::program::ProgramError;

/// Everything but a start that was asked for is worth a line, and is counted.
pub fn trouble(engine: &str, shard: &str, trouble: &Trouble) {
    let cause = match trouble {
        Trouble::NotStarted(NotStarted::Checksum { found }) => {
            tracing::error!(
                shard,
                found,
                "the bridge is not the pinned program and was not started; restore it, or pin the new checksum"
            );
            "not_started"
        }
        Trouble::NotStarted(NotStarted::Io(why)) => {
            tracing::error!(shard, why, "the bridge cannot be started");
            "not_started"
        }
        Trouble::Refused(refusal) => {
            tracing::error!(shard, ?refusal, "the bridge is not the one that is configured");
            "refused"
        }
        Trouble::Breach(Breach::Cut) => {
            tracing::warn!(shard, "the bridge's connection ended");
            "gone"
        }
        Trouble::Breach(breach) => {
            tracing::warn!(shard, ?breach, "the bridge broke the protocol and is killed");
            "breach"
        }
        Trouble::NoHello => {
            tracing::warn!(shard, "the bridge said no hello and is killed");
            "no_hello"
        }
        Trouble::Silent => {
            tracing::warn!(shard, "three heartbeats were missed; the bridge is killed");
            "silent"
        }
        Trouble::Exited => {
            tracing::warn!(shard, "the bridge ended by itself");
            "gone"
        }
        Trouble::Unkillable => {
            return tracing::error!(shard, "the bridge was killed and is still there");
        }
    };
    meters::bridge_died(engine, cause);
}

/// Why a process was not started.
pub fn not_started(error: ProgramError) -> NotStarted {
    match error {
        ProgramError::Changed { found, .. } => NotStarted::Checksum { found },
        other => NotStarted::Io(other.to_string()),
    }
}
