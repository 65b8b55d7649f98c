//! Sending once more what did not arrive: a new message with the old one's content, which counts like any other.

use std::time::Duration;

use crate::domain::message::{Direction, Draft, Message, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;

/// How long it waits, as a message does that says nothing of it.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What is sent in place of `message` at `at`; 409 `conflict` while it may still arrive by itself, and for what came in.
pub fn again(message: Message, at: WallTime) -> Result<Draft, Refusal> {
    use MessageStatus as S;
    let status = message.status;
    let is_over = matches!(status, S::Failed | S::Expired | S::Canceled | S::Dead | S::Unknown);
    if message.direction != Direction::Out {
        return Err(Refusal::conflict("only what was sent from here can be sent again"));
    }
    if !is_over {
        let detail = format!(
            "the message is {status}: only what failed, expired, was taken back or is unknown is sent again"
        );
        return Err(Refusal::conflict(detail));
    }
    Ok(Draft {
        to: message.chat,
        content: message.content,
        reply_to: message.reply_to,
        category: message.category,
        send_at: None,
        expires_at: at + PATIENCE,
        delivery: message.delivery,
        client_ref: message.client_ref,
    })
}
