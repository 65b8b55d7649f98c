//! Stop 3 of a message that carries a file: the file is there, is the tenant's, and is of a kind that WhatsApp shows so.

use super::Ports;
use crate::domain::content::{Content, Media};
use crate::domain::media::{MediaFile, MediaKind, MediaState};
use crate::domain::message::Draft;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scope::TenantScope;
use crate::ports::store::WriteError;

impl Ports {
    /// The draft with what is known of its file, which is kept at least as long as the message will be. A draft without a file
    /// is answered as it is, and nothing is asked for it. 422 for a file that is absent or cannot be sent so.
    pub async fn attach(&self, scope: TenantScope, draft: Draft) -> Result<Draft, WriteError> {
        let (Some(kind), Some(asked)) = (MediaKind::of(&draft.content), draft.content.media()) else {
            return Ok(draft);
        };
        let retention = self.plan(scope.tenant())?.retention();
        // The message is kept from now, or from when it was to leave, and does not leave after its own end.
        let from = self.clock.wall().max(draft.expires_at - retention).max(draft.send_at.unwrap_or_default());
        let file = self.records.hold(scope, asked.media, from).await?;
        let content = filled(kind, asked, file.as_ref())?;
        Ok(Draft { content, ..draft })
    }

    /// A content with what is known of its file, which is not kept longer for it: for what only plays a message.
    pub async fn filled(&self, scope: TenantScope, content: Content) -> Result<Content, WriteError> {
        let (Some(kind), Some(asked)) = (MediaKind::of(&content), content.media()) else {
            return Ok(content);
        };
        let file = self.records.get(scope, asked.media).await?;
        Ok(filled(kind, asked, file.as_ref())?)
    }
}

/// What a message of this kind holds with this file.
fn filled(kind: MediaKind, asked: &Media, file: Option<&MediaFile>) -> Result<Content, Refusal> {
    let at = |field: &str| format!("/{}/{field}", kind.holding(asked.clone()).kind());
    let wrong = |code, detail: String| Refusal::invalid(vec![Fault::new(at("media"), code, detail)]);
    let Some(file) = file else {
        return Err(wrong("not_found", "no such file, or not yours; POST /v1/media takes one".to_owned()));
    };
    if file.state != MediaState::Stored {
        let detail =
            "this file came in and its bytes are not here yet; GET /v1/media/{id}/content brings them";
        return Err(wrong("not_allowed", detail.to_owned()));
    }
    if !kind.takes(&file.mime) {
        let detail = format!("the file is {}; expected {}", file.mime, kind.mimes().join(", "));
        return Err(wrong("not_allowed", detail));
    }
    if file.size > kind.bytes_max() {
        let detail =
            format!("the file has {} bytes, and WhatsApp takes {} of this kind", file.size, kind.bytes_max());
        return Err(wrong("out_of_range", detail));
    }
    let file_name = match kind {
        MediaKind::Document => asked.file_name.clone().or_else(|| file.file_name.clone()),
        _ => None,
    };
    Ok(kind.holding(Media { mime: file.mime.clone(), size: file.size, file_name, ..asked.clone() }))
}
