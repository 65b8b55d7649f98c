//! Records as the API shows them, where more than one resource does.

use serde_json::value::to_raw_value;

use crate::webhooks::payload::Records;

pub mod billing;
pub mod media;
pub mod message;
pub mod outline;
pub mod paper;
pub mod session;
pub mod webhook;

/// How webhooks show records: as the API does.
pub const RECORDS: Records = Records {
    message: |one| to_raw_value(&message::record(one)),
    session: |one, at| to_raw_value(&session::record(one, at)),
};
