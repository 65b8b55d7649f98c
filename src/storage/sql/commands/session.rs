//! What is written about a session itself.

use crate::domain::event::Change;
use crate::domain::id::SessionId;
use crate::domain::scope::TenantScope;
use crate::domain::session::{Desired, Lease, Standing};
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;
use crate::storage::sql::book::Book;
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Writes a new status, as the owner reports it.
pub struct Announce {
    pub lease: Lease,
    pub change: StatusChange,
}

impl Command for Announce {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.lease.session);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.leased(self.lease)?;
        change_status(book, self.lease.session, self.change);
        Ok(())
    }
}

/// Writes a new status, as the supervisor reports it. A deleted session has none.
pub struct Pronounce {
    pub session: SessionId,
    pub change: StatusChange,
    /// How many half-open probes have failed, if that has changed.
    pub probes: Option<u32>,
}

impl Command for Pronounce {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.session);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        if book.session(self.session).is_some() {
            change_status(book, self.session, self.change);
            if let (Some(probes), Some(row)) = (self.probes, book.edit_session(self.session)) {
                row.supervision.probes = probes;
            }
        }
        Ok(())
    }
}

/// Writes a status and its event.
pub fn change_status(book: &mut Book, session: SessionId, change: StatusChange) {
    let Some(row) = book.edit_session(session) else { return };
    row.status = change.status;
    row.reason = change.reason;
    row.code = change.code;
    row.since = change.since;
    row.supervision = row.supervision.after(change.status);
    let tenant = row.tenant;
    book.tell(tenant, Some(session), Change::Session(change.status));
}

/// Stores what the network holds against the account.
pub struct Remember {
    pub lease: Lease,
    pub standing: Standing,
}

impl Command for Remember {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.lease.session);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.leased(self.lease)?;
        if let Some(row) = book.edit_session(self.lease.session) {
            row.standing = self.standing;
        }
        Ok(())
    }
}

/// Counts a link opened after the first.
pub struct CountReconnect(pub Lease);

impl Command for CountReconnect {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.0.session);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.leased(self.0)?;
        if let Some(tally) = book.edit_tally(self.0.session) {
            tally.reconnects += 1;
        }
        Ok(())
    }
}

/// Writes what is wanted of a session; whether there is one.
pub struct Want {
    pub scope: TenantScope,
    pub session: SessionId,
    pub desired: Desired,
}

impl Command for Want {
    type Answer = bool;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.session);
    }

    fn decide(&self, book: &mut Book) -> Result<bool, StoreError> {
        if book.session(self.session).is_none_or(|row| row.tenant != self.scope.tenant()) {
            return Ok(false);
        }
        if let Some(row) = book.edit_session(self.session) {
            row.desired = self.desired;
        }
        Ok(true)
    }
}
