//! A file as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{MediaId, SessionId};
use crate::domain::media::{MediaFile, MediaState};
use crate::domain::message::Direction;
use crate::domain::plan::Plan;
use crate::domain::time::WallTime;

/// A file as the API shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MediaFile")]
pub struct MediaRecord<'a> {
    /// What messages name it by.
    pub id: MediaId,
    /// `out`: uploaded; `in`: came in with a message.
    pub direction: Direction,
    /// The session it came in on.
    pub session: Option<SessionId>,
    /// Its media type. Of one that is stored its bytes were looked at.
    pub mime: &'a str,
    /// Bytes; of one that is `remote`, what its sender says.
    pub size: u64,
    /// SHA-256 of its bytes, in hex; null before they are here.
    pub sha256: Option<String>,
    /// What it is called.
    pub file_name: Option<&'a str>,
    /// Where its bytes are.
    pub state: MediaState,
    /// When it was uploaded or came in.
    pub created_at: WallTime,
    /// When it is removed, unless messages use it by then: the plan's retention, counted from the last that did.
    pub expires_at: Option<WallTime>,
}

/// A file as the API shows it, under the plan that binds its tenant.
pub fn record<'a>(file: &'a MediaFile, plan: Option<&Plan>) -> MediaRecord<'a> {
    MediaRecord {
        id: file.id,
        direction: file.direction,
        session: file.session,
        mime: &file.mime,
        size: file.size,
        sha256: file.sha256.map(hex::encode),
        file_name: file.file_name.as_deref(),
        state: file.state,
        created_at: file.created_at,
        expires_at: plan.map(|plan| file.kept_from + plan.retention()),
    }
}
