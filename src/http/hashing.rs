//! Hashing passwords beside the threads that serve: two at once, since each takes 19 MiB and some 30 ms of a core.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::domain::person::PasswordHash;
use crate::domain::refusal::Refusal;
use crate::tenancy::password::Password;

/// At once.
const AT_ONCE: usize = 2;
/// Those that wait besides; further ones are asked to come again.
const WAITING: usize = 30;

/// The place where passwords are hashed.
#[derive(Debug)]
pub struct Hashing {
    turns: Arc<Semaphore>,
    here: AtomicUsize,
    done: AtomicUsize,
    /// The hash of a password that nobody has, to be compared with where there is none. Made when it is first needed.
    nobody: OnceLock<PasswordHash>,
}

/// Whoever waits or hashes.
struct Guest(Arc<Hashing>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.here.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Hashing {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { turns, here: AtomicUsize::new(0), done: AtomicUsize::new(0), nobody: OnceLock::new() }
    }
}

fn ending() -> Refusal {
    Refusal::unavailable("the server is ending; try again")
}

/// With the parameters of every other, so that comparing takes as long.
fn nobody() -> PasswordHash {
    let text: [u8; 32] = rand::random();
    let hash = Password::typed(&hex::encode(text)).hash(&mut rand::rng());
    hash.unwrap_or(PasswordHash(String::new()))
}

impl Hashing {
    /// The hash to keep. 429 while too many wait.
    pub async fn hash(self: &Arc<Self>, password: Password) -> Result<PasswordHash, Problem> {
        let hashed = self.work(move || password.hash(&mut rand::rng())).await?;
        Ok(hashed.ok_or_else(|| Refusal::unavailable("the password could not be hashed; try again"))?)
    }

    /// Whether it is the password that was hashed. Where there is none it takes as long, and is not.
    pub async fn is(
        self: &Arc<Self>,
        password: Password,
        kept: Option<PasswordHash>,
    ) -> Result<bool, Problem> {
        let own = Arc::clone(self);
        let compare = move || {
            // In either case, so that the first one to come is told nothing by it.
            let nobody = own.nobody.get_or_init(nobody);
            let same = password.is(kept.as_ref().unwrap_or(nobody));
            same && kept.is_some()
        };
        self.work(compare).await
    }

    /// How many were hashed or compared.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let before = self.here.fetch_add(1, Ordering::Relaxed);
        let guest = Guest(Arc::clone(self));
        if before >= AT_ONCE + WAITING {
            let detail = "too many people sign in at once; try again";
            return Err(Refusal::rate_limited(detail, Duration::from_secs(2)).into());
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| ending())?;
        // Held until the work is done, also when whoever asked has gone: the work goes on.
        let held = move || {
            let (_turn, guest) = (turn, guest);
            let done = work();
            guest.0.done.fetch_add(1, Ordering::Relaxed);
            done
        };
        Ok(web::block(held).await.map_err(|_| ending())?)
    }
}
