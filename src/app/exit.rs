//! How the process ends, by `sysexits.h`, so that a service manager and a script can tell.

use thiserror::Error;

/// Why the process could not do its work. Every text says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// 1: it was asked and the answer is no.
    #[error("{0}")]
    Refused(String),
    /// 65: something given cannot be taken.
    #[error("{0}")]
    Unfit(String),
    /// 64: the command line or a setting is wrong.
    #[error("{0}")]
    Usage(String),
    /// 69: something it depends on does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// 70: a part that everything stands on died of a bug of ours.
    #[error("{0}")]
    Software(String),
    /// 75: another process works on the same data directory.
    #[error("{0}")]
    InUse(String),
}
