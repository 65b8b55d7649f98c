//! What goes wrong inside the testbed, and who is told.

/// A failure of the testbed or a refusal of what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not take or give something.
    #[error("the database: {0}")]
    Store(#[from] rusqlite::Error),
    /// A file or a socket.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A peer sent what the protocol does not allow; its socket is closed.
    #[error("protocol: {0}")]
    Protocol(String),
    /// Signal's part: a key, a session or a message that does not fit.
    #[error("signal: {0}")]
    Signal(String),
    /// A caller of the admin API named something that is not here.
    #[error("{0}")]
    NotFound(String),
    /// A caller of the admin API asked for what cannot be done now.
    #[error("{0}")]
    Refused(String),
}

/// The usual result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A protocol error with its text.
pub(crate) fn protocol(text: impl std::fmt::Display) -> Error {
    Error::Protocol(text.to_string())
}

/// A Signal error with its text.
pub(crate) fn signal(text: impl std::fmt::Display) -> Error {
    Error::Signal(text.to_string())
}
