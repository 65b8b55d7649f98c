//! What an engine can do, as its hello says.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// One thing an engine can do. A command that needs one the hello did not name is answered `unsupported`; the supervisor
/// does not send it at all. A word the supervisor does not know is ignored.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumIter,
    EnumString,
    Display,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Capability {
    /// Pairs by a code to be scanned.
    PairQr,
    /// Pairs by a code to be typed (`pair_code`).
    PairCode,
    /// Passes a passkey stage of pairing through (`passkey` events).
    Passkey,
    /// Keeps an inbound message unacknowledged at WhatsApp until its event is confirmed. Without it an inbound message that
    /// the bridge took and nobody confirmed is lost when the bridge dies.
    HoldInbound,
    /// Sends under the id the caller chose.
    CallerIds,
    /// Sends text.
    Text,
    /// Sends and fetches media through the media folder, in constant memory.
    Media,
    /// Sends reactions.
    Reaction,
    /// Edits what was sent.
    Edit,
    /// Takes back what was sent.
    Revoke,
    /// Sends answers that quote.
    Reply,
    /// Sends polls.
    Poll,
    /// Sends locations.
    Location,
    /// Sends contact cards.
    Contacts,
    /// Sends read marks.
    MarkRead,
    /// Shows typing.
    Typing,
    /// Asks whether numbers have accounts.
    CheckNumber,
    /// Lists groups.
    Groups,
    /// Lists contacts.
    ContactList,
    /// Tells of locks on new chats (`restricted`).
    Restriction,
    /// Takes a proxy per session.
    Proxy,
    /// Speaks to the address that `open` names instead of WhatsApp's. For tests; a production build may lack it.
    Endpoint,
    /// Accepts a server whose certificates nobody vouches for. Only a test build ever says so, and a supervisor refuses it
    /// unless it was told that this is a test.
    Testbed,
}
