//! The link to the first account: good once, and while there is no person. It lives as long as the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::domain::operator::TokenHash;
use crate::tenancy::sign_in::{recognised, secret_text};

/// The newest link, if there is one.
#[derive(Default)]
pub struct SetupLink(Mutex<Option<TokenHash>>);

impl SetupLink {
    /// A new one, in the place of any before: its path, to be put behind the server's address.
    pub fn renew(&self) -> Zeroizing<String> {
        let token = secret_text(&mut rand::rng());
        *self.lock() = Some(recognised(&token));
        Zeroizing::new(format!("/ui/setup#{}", *token))
    }

    /// Whether this is its token.
    pub fn is(&self, token: &str) -> bool {
        let shown = recognised(token);
        self.lock().is_some_and(|known| known.0.ct_eq(&shown.0).into())
    }

    /// It was used.
    pub fn spend(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<TokenHash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
