//! One line of a history: a fact that the network, the store or a client kept, in JSON with its `kind`.
//!
//! The first five kinds are the sandbox network's journal as it writes it. Lines may stand in any order, but for frames
//! and rows of one file, whose numbers (`seq`, `ord`) say theirs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::chat::Chat;
use crate::domain::id::{InvoiceId, MessageId, SessionId, TenantId};
use crate::domain::invoice::{Account, EntryKind, InvoiceStatus};
use crate::domain::message::{Delivery, Direction, MessageStatus, WaId};
use crate::domain::money::Currency;
use crate::domain::session::{Epoch, SessionStatus};
use crate::domain::time::WallTime;
use crate::domain::word::words;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, strum::EnumDiscriminants)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum_discriminants(
    name(Kind),
    derive(strum::EnumIter, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "snake_case"),
    doc = "A [`Record`] without its value; its name is the line's `kind`."
)]
pub enum Record {
    /// Journal: a device was paired.
    Account(Pairing),
    /// Journal: a device was removed.
    Unlinked(Pairing),
    /// Journal: a frame was received.
    Frame(FrameLine),
    /// Journal: a correspondent wrote. What was written is not read.
    Inbound(InboundLine),
    /// Journal: a delivery is no longer owed.
    Confirmed(ConfirmedLine),
    /// When the rows were read: what is younger may be missing elsewhere, and ages count to here.
    AsOf(AsOf),
    /// A row of a message, either way.
    Message(MessageLine),
    /// A row of the log of attempts.
    Attempt(AttemptLine),
    /// What a tenant's plan allowed from a time on.
    Cap(CapLine),
    /// A row of a session.
    Session(SessionLine),
    /// A row of a tenant's month.
    Usage(UsageLine),
    /// A row of an invoice.
    Invoice(InvoiceLine),
    /// A row of a credit note.
    CreditNote(NoteLine),
    /// A row of the ledger.
    Entry(EntryLine),
    /// A row of a series of numbers.
    Series(SeriesLine),
    /// A number whose frames the network refuses for a while, so that they come again within one ownership.
    Refusing(Refusing),
    /// A client got a 202.
    Accepted(AcceptedLine),
}

/// Whose device, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// When.
    pub at: WallTime,
    /// Whose.
    pub session: SessionId,
}

/// One frame that the network received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameLine {
    /// Order of receipt, over all sessions.
    pub seq: u64,
    /// When, by the network's clock.
    pub at: WallTime,
    /// From which session.
    pub session: SessionId,
    /// The message's id on the network.
    pub wa_id: WaId,
    /// To whom.
    pub to: Chat,
    /// The epoch of the owner that sent it.
    pub epoch: Epoch,
}

/// One message that waits at the network until it is confirmed as `i` and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundLine {
    /// When.
    pub at: WallTime,
    /// To which session.
    pub session: SessionId,
    /// Counts them over all sessions.
    pub number: u64,
    /// Its id on the network.
    pub wa_id: WaId,
    /// Who wrote.
    pub from: Chat,
    /// Where, if that is not who wrote: a group, or the chat in which another device of the account did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Chat>,
}

/// A delivery that is safe with its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedLine {
    /// By which session.
    pub session: SessionId,
    /// `i3` is inbound 3; others are receipts.
    pub delivery: String,
}

/// When the rows were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// When.
    pub at: WallTime,
}

words! {
    /// What has become of a message's place in its month.
    pub enum Charge {
        /// It does not count.
        None,
        /// It is reserved.
        Held,
        /// It is used.
        Charged,
        /// It was given back.
        Released,
    }
}

/// A row of a message, without what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageLine {
    /// Its place in the order of acceptance, over all tenants.
    pub ord: i64,
    /// Its id.
    pub id: MessageId,
    /// Whose.
    pub tenant: TenantId,
    /// On which session.
    pub session: SessionId,
    /// Which way.
    pub direction: Direction,
    /// The correspondent.
    pub chat: Chat,
    /// Its id on the network.
    pub wa_id: WaId,
    /// How far it has come.
    pub status: MessageStatus,
    /// Attempts begun.
    pub attempts: u32,
    /// What a crash may cost.
    pub delivery: Delivery,
    /// What has become of its place in the month.
    pub charge: Charge,
    /// First instant of the month it counts to; none for inbound.
    pub period: Option<WallTime>,
    /// Not before then, as the tenant asked.
    pub send_at: Option<WallTime>,
    /// Not to be claimed before then: `send_at`, the end of a back-off or of a lock.
    pub not_before: Option<WallTime>,
    /// Not after then; none for inbound.
    pub expires_at: Option<WallTime>,
    /// When it was accepted.
    pub queued_at: Option<WallTime>,
    /// When its last attempt began.
    pub attempted_at: Option<WallTime>,
    /// When it was first known to be with the server.
    pub sent_at: Option<WallTime>,
    /// When it came in.
    pub received_at: Option<WallTime>,
}

/// A row of the log of attempts: a claim that was committed, whether or not anything was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLine {
    /// Order of the claims, over all tenants.
    pub ord: i64,
    /// Of which message.
    pub message: MessageId,
    /// Which attempt of that message, from 1.
    pub number: u32,
    /// On which session.
    pub session: SessionId,
    /// Whose.
    pub tenant: TenantId,
    /// The epoch of the owner that made it.
    pub epoch: Epoch,
    /// Which start of the machine `moment` belongs to.
    pub boot: Uuid,
    /// When it was decided, in milliseconds on the boot-time clock.
    pub moment: u64,
    /// When it was decided, by the wall clock.
    pub wall: WallTime,
}

/// What a tenant's plan allowed from a time on, until the next such line of the tenant. The earliest also binds what is
/// older than itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapLine {
    /// Whose.
    pub tenant: TenantId,
    /// From when.
    pub from: WallTime,
    /// Attempts per session in any 60 s.
    pub per_minute: u32,
    /// Attempts of all sessions together in any 60 s; none means no sum.
    pub per_minute_tenant: Option<u32>,
}

/// A row of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub tenant: TenantId,
    /// The newest ownership: so many were taken.
    pub epoch: Epoch,
    /// How it stands.
    pub status: SessionStatus,
    /// Since when.
    pub since: WallTime,
    /// Whether it exists no more.
    pub deleted: bool,
}

/// A row of a tenant's month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLine {
    /// Whose.
    pub tenant: TenantId,
    /// First instant of the month.
    pub period: WallTime,
    /// Messages charged.
    pub used: u64,
    /// Messages accepted and not yet charged or released.
    pub held: u64,
}

/// A row of an invoice, without who asks whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// Its id.
    pub id: InvoiceId,
    /// Whom it asks.
    pub tenant: TenantId,
    /// Its number.
    pub number: String,
    /// What has become of it.
    pub status: InvoiceStatus,
    /// In which currency.
    pub currency: Currency,
    /// Sum of its lines, in the minor unit.
    pub lines_minor: i64,
    /// How much, and what of it is done.
    pub account: Account,
}

/// A row of a credit note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteLine {
    /// Its number.
    pub number: String,
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// How much, with tax.
    pub amount_minor: i64,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryLine {
    /// What.
    pub what: EntryKind,
    /// How much, in the minor unit; positive: owed by the tenant.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Which invoice it is about.
    pub invoice: Option<InvoiceId>,
}

/// A series of numbers of papers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesLine {
    /// With what its numbers begin.
    pub series: String,
    /// The count that comes next.
    pub next: u64,
}

/// A number whose frames the network refuses for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusing {
    /// The number.
    pub to: Chat,
}

/// What a client was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedLine {
    /// The id in the answer.
    pub message: MessageId,
    /// On which session.
    pub session: SessionId,
    /// To whom.
    pub to: Chat,
    /// When the answer came, by the client's clock.
    pub wall: WallTime,
}
