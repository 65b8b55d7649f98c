//! The writes that share their statements with others. Each decides on rows that its batch has read.

mod accept;
mod cancel;
mod claim;
mod contacts;
mod inbound;
mod recall;
mod receipt;
mod session;
mod settle;
mod sweep;
mod webhooks;

pub(super) use accept::{Accept, as_accepted, standing_refusal};
pub(super) use cancel::Cancel;
pub(super) use claim::{GiveBack, TakeOne};
pub(super) use contacts::{Allow, Consider, NoteAccount, NoteGroups, Suppress};
pub(super) use inbound::Hear;
pub(super) use recall::{Recover, TakeEpoch};
pub(super) use receipt::Apply;
pub(super) use session::{Announce, CountReconnect, Pronounce, Remember, Want, change_status};
pub(super) use settle::Settle;
pub(super) use sweep::{ABANDONED_AFTER, Abandon, DOUBT_ENDS_AFTER, Due, Expire, Release};
pub(super) use webhooks::SettleDelivery;
