//! Who runs this server: operators, each with a token and a role of their own.

use serde::Serialize;

use super::email::Email;
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

/// SHA-256 of a token's text, or of another random secret. The text itself is shown once and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// Hidden: whoever reads a log has no business with it.
impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// One operator besides `root`, as stored. JSON leaves out how the token is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorAccount {
    /// Names the operator in lists and in the audit.
    pub id: OperatorId,
    /// What they are called.
    pub name: String,
    /// How the token is recognised; a person signs in and has none.
    #[serde(skip)]
    pub hash: Option<TokenHash>,
    /// What they may do.
    pub role: Role,
    /// The address that a person signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// When they came.
    pub created_at: WallTime,
    /// From then on they are refused.
    pub expires_at: Option<WallTime>,
    /// From then on they are refused, by decision.
    pub revoked_at: Option<WallTime>,
}

impl OperatorAccount {
    /// Whether they may come in.
    pub fn is_live(&self, now: WallTime) -> bool {
        self.revoked_at.is_none_or(|at| at > now) && self.expires_at.is_none_or(|end| end > now)
    }
}
