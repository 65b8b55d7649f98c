//! What a draft names that has to exist: the message it answers or says something about, and a chat that is no number.
//!
//! Read before the transaction of acceptance and only for drafts that name something, so that all others pay nothing. What
//! is found may be erased before the message leaves; the [attempt](super::attempt) looks again.

use std::time::Duration;

use crate::domain::content::Content;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Direction, Draft, Message, MessageStatus};
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::messages::Messages;
use crate::ports::store::StoreError;

/// How long after it left a text may be changed: WhatsApp's limit, as its help pages have it.
const EDITABLE: Duration = Duration::from_secs(15 * 60);
/// How long after it left a message may be taken back for everybody: 2 days and 12 hours, from the same source.
const REVOCABLE: Duration = Duration::from_secs(60 * 3_600);

/// The draft, or the 422 that says what it names and cannot have.
pub async fn check(
    messages: &dyn Messages,
    scope: TenantScope,
    session: SessionId,
    draft: Draft,
    now: WallTime,
) -> Result<Result<Draft, Refusal>, StoreError> {
    let mut faults = vec![];
    if draft.to.person().is_none() && !messages.knows_chat(scope, session, &draft.to).await? {
        let detail = "nobody has written to this session from there, and no list of its groups has named it: list them \
                      once (GET /v1/sessions/{id}/groups), or wait for a message";
        faults.push(Fault::new("/to", "not_found", detail));
    }
    for (id, pointer) in named(&draft) {
        let found = messages.get(scope, id).await?;
        faults.extend(
            wrong(found.as_ref(), session, &draft, now)
                .map(|(code, detail)| Fault::new(pointer.clone(), code, detail)),
        );
    }
    Ok(if faults.is_empty() { Ok(draft) } else { Err(Refusal::invalid(faults)) })
}

/// Whether a draft names anything at all.
pub fn names_something(draft: &Draft) -> bool {
    draft.to.person().is_none() || draft.reply_to.is_some() || draft.content.target().is_some()
}

/// Messages that a draft names, and where.
fn named(draft: &Draft) -> impl Iterator<Item = (MessageId, String)> {
    let target = draft.content.target().and_then(|target| target.message);
    let target = target.map(|id| (id, format!("/{}/message", draft.content.kind())));
    target.into_iter().chain(draft.reply_to.map(|id| (id, "/reply_to".to_owned())))
}

/// Why a draft may not refer to this message, if it may not.
fn wrong(
    found: Option<&Message>,
    session: SessionId,
    draft: &Draft,
    now: WallTime,
) -> Option<(&'static str, &'static str)> {
    let Some(found) = found.filter(|found| found.session == session && found.chat == draft.to) else {
        return Some(("not_found", "this session has no such message with this chat"));
    };
    if found.content.target().is_some() {
        return Some(("not_allowed", "it says something about another message itself; name that one"));
    }
    let left = with_the_network(found);
    let within =
        |limit| found.times.get(<&str>::from(MessageStatus::Sent)).is_some_and(|&at| now < at + limit);
    match &draft.content {
        Content::Reaction(_) if found.direction == Direction::Out && !left => {
            Some(("not_allowed", "it has not left; the network does not know it"))
        }
        Content::Edit(_) | Content::Revoke(_) if found.direction != Direction::Out => {
            Some(("not_allowed", "only what was sent from here can be changed or taken back"))
        }
        Content::Edit(_) | Content::Revoke(_) if !left => {
            Some(("not_allowed", "it has not left: cancel it (DELETE /v1/messages/{id}) and send another"))
        }
        Content::Edit(_) if !matches!(found.content, Content::Text(_)) => {
            Some(("not_allowed", "only a text can be given new text"))
        }
        Content::Edit(_) if !within(EDITABLE) => {
            Some(("out_of_range", "at most 15 minutes after it left, which is WhatsApp's limit"))
        }
        Content::Revoke(_) if !within(REVOCABLE) => {
            Some(("out_of_range", "at most 60 hours after it left, which is WhatsApp's limit"))
        }
        _ => None,
    }
}

fn with_the_network(message: &Message) -> bool {
    matches!(message.status, MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Chat;
    use crate::domain::content::{Edit, Reaction, Revoke, Target, Text};
    use crate::domain::id::TenantId;
    use crate::domain::message::{Category, Delivery, Times, WaId};

    const SENT: WallTime = WallTime(1_795_000_000_000);

    fn draft(content: Content) -> Draft {
        Draft {
            to: Chat::stored("+15551230001".to_owned()),
            content,
            reply_to: None,
            category: Category::default(),
            send_at: None,
            expires_at: SENT,
            delivery: Delivery::default(),
            client_ref: None,
        }
    }

    fn text() -> Content {
        Content::Text(Text { body: "hello".to_owned() })
    }

    fn target() -> Target {
        Target { message: Some(MessageId::mint(SENT)), wa_id: None }
    }

    #[test]
    fn what_may_be_said_of_a_message_follows_from_where_it_is_and_since_when() {
        let (session, tenant) = (SessionId::mint(SENT), TenantId::mint(SENT));
        let edit = || Content::Edit(Edit { target: target(), body: "new".to_owned() });
        let revoke = || Content::Revoke(Revoke { target: target() });
        let react = || Content::Reaction(Reaction { target: target(), emoji: "👍".to_owned() });
        let minutes = |count: u64| Duration::from_secs(count * 60);
        use {Direction::*, MessageStatus::*};
        for (direction, status, of, said, age, fault) in [
            (Out, Sent, text(), edit(), 14, None),
            (Out, Delivered, text(), edit(), 15, Some("out_of_range")),
            (Out, Read, text(), revoke(), 60 * 60 - 1, None),
            (Out, Read, text(), revoke(), 60 * 60, Some("out_of_range")),
            (Out, Queued, text(), revoke(), 0, Some("not_allowed")),
            (Out, Failed, text(), edit(), 0, Some("not_allowed")),
            (Out, Unknown, text(), react(), 0, Some("not_allowed")),
            (Out, Sent, Content::Other, edit(), 1, Some("not_allowed")),
            (Out, Sent, edit(), edit(), 1, Some("not_allowed")),
            (In, Received, text(), edit(), 1, Some("not_allowed")),
            (In, Received, text(), revoke(), 1, Some("not_allowed")),
            (In, Received, text(), react(), 10_000, None),
            (Own, Sent, text(), react(), 1, None),
            (Own, Sent, text(), revoke(), 1, Some("not_allowed")),
            // An answer may quote whatever is there.
            (Out, Queued, text(), text(), 0, None),
        ] {
            let mut found =
                Message::accepted(MessageId::mint(SENT), tenant, session, WaId("1".into()), &draft(of), SENT);
            (found.direction, found.status) = (direction, status);
            found.times = Times::from([(status.into(), SENT), (Sent.into(), SENT)]);
            let name = format!("{} of {direction} {status} after {age} min", said.kind());
            let said = draft(said);
            let verdict = wrong(Some(&found), session, &said, SENT + minutes(age));
            assert_eq!(verdict.map(|(code, _)| code), fault, "{name}");

            let elsewhere = wrong(Some(&found), SessionId::mint(SENT), &said, SENT);
            assert_eq!(elsewhere.map(|(code, _)| code), Some("not_found"), "{name}");
            found.chat = Chat::stored("+15551230002".to_owned());
            assert_eq!(wrong(Some(&found), session, &said, SENT).map(|(code, _)| code), Some("not_found"));
        }
        assert_eq!(wrong(None, session, &draft(text()), SENT).map(|(code, _)| code), Some("not_found"));
    }
}
