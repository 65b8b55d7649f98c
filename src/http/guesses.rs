//! How often somebody may guess a password, a code or a link: by whom it is about, and by where it comes from.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::middleware::edge_limit::Caller;
use super::origin::Origin;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::tenancy::throttle::{Patience, Throttle};

/// For one person, whether there is such a person or not.
const OF_PERSON: Patience =
    Patience { free: 5, first: Duration::from_secs(1), longest: Duration::from_secs(15 * 60) };
/// For one address, behind which an office may sit.
const OF_ADDRESS: Patience =
    Patience { free: 20, first: Duration::from_secs(1), longest: Duration::from_secs(15 * 60) };

/// Whom a guess is about, as a hash: no address of anybody is kept.
pub type Subject = [u8; 32];

/// The hash of what somebody is called: an email address as it was typed, or an id.
pub fn subject(name: &str) -> Subject {
    Sha256::digest(name.trim().to_lowercase().as_bytes()).into()
}

/// Guesses of the last hour.
#[derive(Debug)]
pub struct Guesses {
    people: Mutex<Throttle<Subject>>,
    addresses: Mutex<Throttle<Caller>>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            people: Mutex::new(Throttle::new(OF_PERSON)),
            addresses: Mutex::new(Throttle::new(OF_ADDRESS)),
        }
    }
}

/// One guess, which counts as a wrong one until it is [right](Self::right).
#[derive(Debug)]
pub struct Guess<'a> {
    all: &'a Guesses,
    about: Option<Subject>,
    from: Caller,
}

impl Guesses {
    /// Lets somebody guess; 429 with how long to wait when they did so too often. What is about nobody, such as a link, counts
    /// for the address only.
    pub fn guess(&self, about: Option<Subject>, from: Origin, now: Moment) -> Result<Guess<'_>, Refusal> {
        let from = Caller::of(from);
        let (mut people, mut addresses) = (lock(&self.people), lock(&self.addresses));
        let of_person = about.as_ref().and_then(|about| people.wait(about, now));
        let wait = of_person.max(addresses.wait(&from, now));
        if let Some(wait) = wait {
            return Err(Refusal::rate_limited("too many wrong tries; wait before the next one", wait));
        }
        about.iter().for_each(|about| people.count(about, now));
        addresses.count(&from, now);
        Ok(Guess { all: self, about, from })
    }
}

impl Guess<'_> {
    /// It was right: what was wrong before is forgotten, and the address is where it was.
    pub fn right(self) {
        self.about.iter().for_each(|about| lock(&self.all.people).forgive(about));
        lock(&self.all.addresses).take_back(&self.from);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
