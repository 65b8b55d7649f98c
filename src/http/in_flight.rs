//! Which idempotent requests are being worked on in this process. A hint for an early 409: what decides between two
//! that race is the unique row in the store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::id::TenantId;
use crate::domain::refusal::Refusal;

/// Among whom an idempotency key is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Among one tenant's requests.
    Tenant(TenantId),
    /// Among the operator's.
    Operator,
}

type Entry = (Owner, String);

/// Requests under way. Bounded by the connections open.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Entry>>>);

/// One request under way, until it is dropped: answered, panicked, or its caller gone.
#[derive(Debug)]
pub struct Flight {
    all: InFlight,
    entry: Entry,
}

impl InFlight {
    /// Enters a request; 409 while another with this key is under way.
    pub fn enter(&self, owner: Owner, key: &str) -> Result<Flight, Refusal> {
        let entry = (owner, key.to_owned());
        if self.entries().insert(entry.clone()) {
            return Ok(Flight { all: self.clone(), entry });
        }
        Err(Refusal::idempotency_in_flight())
    }

    fn entries(&self) -> MutexGuard<'_, HashSet<Entry>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.entries().remove(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Code;
    use crate::domain::time::WallTime;

    #[test]
    fn a_key_is_taken_until_its_flight_ends_however_it_ends() {
        let all = InFlight::default();
        let first = all.enter(Owner::Operator, "k").expect("free");
        assert_eq!(all.enter(Owner::Operator, "k").expect_err("taken").code, Code::IdempotencyInFlight);
        let tenant = Owner::Tenant(TenantId::mint(WallTime(1)));
        assert!(all.enter(tenant, "k").is_ok(), "another's key is another key");
        drop(first);
        let flown = std::panic::catch_unwind(|| {
            let _flight = all.enter(Owner::Operator, "k").expect("free again");
            panic!("the test asked for this panic");
        });
        assert!(flown.is_err());
        assert!(all.enter(Owner::Operator, "k").is_ok());
    }
}
