//! An operator who is a person: what they sign in with, and where they are signed in.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::id::{OperatorId, SignInId};
use super::operator::TokenHash;
use super::time::WallTime;

/// A sign-in that nobody used for so long has ended.
pub const IDLE: Duration = Duration::from_secs(12 * 3600);
/// And one that was made so long ago, however it was used.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a password that was given counts for what destroys or reveals.
pub const STEPPED_UP: Duration = Duration::from_secs(600);
/// How long an invitation is good.
pub const INVITED: Duration = Duration::from_secs(48 * 3600);
/// Places a person can be signed in at; one more ends the oldest.
pub const SIGN_INS_MAX: usize = 20;

/// A password as it is kept: an Argon2id hash with its salt and parameters, in the form of the PHC. Hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What makes the codes that a person's phone shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// When the first code was shown; until then none is asked for.
    pub confirmed_at: Option<WallTime>,
    /// The last step of time whose code was taken: each is good once.
    pub last_step: u64,
}

/// A link by which a person comes in and chooses a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// How it is recognised.
    pub hash: TokenHash,
    /// From then on it is refused.
    pub expires_at: WallTime,
}

/// What a person signs in with. None of it is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Which operator they are.
    pub id: OperatorId,
    /// Their password, once they have chosen one.
    pub password: Option<PasswordHash>,
    /// Their second factor, if they have one.
    pub second_factor: Option<SecondFactor>,
    /// Recovery codes that are not used yet, as they are recognised.
    pub recovery: Vec<TokenHash>,
    /// The link that lets them in, until they have used it.
    pub invitation: Option<Invitation>,
}

impl Person {
    /// One who was invited and has not come yet.
    pub fn invited(id: OperatorId, invitation: Invitation) -> Self {
        Self { id, password: None, second_factor: None, recovery: vec![], invitation: Some(invitation) }
    }

    /// The second factor that is asked for.
    pub fn asked_for(&self) -> Option<&SecondFactor> {
        self.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_some())
    }
}

/// One place where a person is signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Names it in lists.
    pub id: SignInId,
    /// Whose it is.
    pub operator: OperatorId,
    /// How its cookie is recognised.
    pub hash: TokenHash,
    /// When they signed in.
    pub created_at: WallTime,
    /// When it was last used, to the minute.
    pub seen_at: WallTime,
    /// When they last gave their password.
    pub stepped_up_at: WallTime,
    /// From where they signed in.
    pub address: Option<IpAddr>,
    /// What their browser calls itself.
    pub agent: Option<String>,
}

impl SignIn {
    /// When it ends if it is not used again.
    pub fn ends_at(&self) -> WallTime {
        (self.seen_at + IDLE).min(self.created_at + LONGEST)
    }

    /// Whether it opens.
    pub fn is_open(&self, now: WallTime) -> bool {
        now < self.ends_at()
    }

    /// Until when the password that was given counts.
    pub fn stepped_up_until(&self) -> WallTime {
        self.stepped_up_at + STEPPED_UP
    }
}

/// Without how it is recognised.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Without any of it.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_000_000_000);

    #[test]
    fn a_sign_in_ends_when_it_is_idle_and_when_it_is_old_whichever_comes_first() {
        let hours = |n: i64| WallTime(NOW.0 + n * 3_600_000);
        for (seen, now, open) in [
            (0, 11, true),
            (0, 12, false),
            (11, 22, true),
            (11, 23, false),
            (24 * 7 - 1, 24 * 7 - 1, true),
            (24 * 7 - 1, 24 * 7, false),
        ] {
            let sign_in = SignIn {
                id: SignInId::mint(NOW),
                operator: OperatorId::mint(NOW),
                hash: TokenHash([0; 32]),
                created_at: NOW,
                seen_at: hours(seen),
                stepped_up_at: NOW,
                address: None,
                agent: None,
            };
            assert_eq!(sign_in.is_open(hours(now)), open, "seen after {seen} h, asked after {now} h");
        }
    }
}
