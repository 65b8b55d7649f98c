//! Who runs this server: operators, each with a token and a role of their own.

use serde::Serialize;

use super::id::OperatorId;
use super::time::WallTime;
use super::word::words;

words! {
    /// What an operator may do; `tenancy::permission` has the table.
    pub enum Role {
        /// Everything.
        Owner,
        /// Everything but operators and the server itself.
        Admin,
        /// Read, and act on sessions.
        Support,
        /// Read.
        Viewer,
    }
}

/// Name of the operator whose token lies in the data directory.
pub const ROOT: &str = "root";

/// SHA-256 of a token's text. The text itself is shown once and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// One operator besides `root`, as stored. JSON leaves out how the token is recognised.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct OperatorAccount {
    /// Names the operator in lists and in the audit.
    pub id: OperatorId,
    /// What they are called.
    pub name: String,
    /// How the token is recognised.
    #[serde(skip)]
    pub hash: TokenHash,
    /// What they may do.
    pub role: Role,
    /// When they came.
    pub created_at: WallTime,
    /// From then on the token is refused.
    pub expires_at: Option<WallTime>,
    /// From then on the token is refused, by decision.
    pub revoked_at: Option<WallTime>,
}
