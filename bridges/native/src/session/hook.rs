//! An inbound message is acknowledged to WhatsApp once the supervisor has it, and not before.

use std::sync::Arc;

use anyhow::bail;
use async_trait::async_trait;
use columba_bridge_protocol::{Event, Inbound, Private};
use wacore::types::events::InboundMessage;
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use whatsapp_rust::{Client, InboundDurabilityHook};

use crate::killpoint::{self, Point};
use crate::outbox::Outbox;
use crate::{address, content};

/// Hands messages over.
pub struct HandOver {
    /// Where they go.
    pub outbox: Arc<Outbox>,
}

#[async_trait]
impl InboundDurabilityHook for HandOver {
    /// The events of a batch leave one after the other; all of them have to be safe.
    async fn on_messages(&self, client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let mut waiting = Vec::with_capacity(batch.len());
        for message in batch {
            let Some(event) = event(&client, message) else { continue };
            killpoint::hit(Point::InboundBefore);
            match self.outbox.hand_over(event).await {
                Some(safe) => waiting.push(safe),
                None => bail!("the session closes"),
            }
        }
        for safe in waiting {
            if safe.await.is_err() {
                bail!("the session closes");
            }
        }
        killpoint::hit(Point::InboundAfter);
        Ok(())
    }
}

fn event(client: &Client, inbound: &InboundMessage) -> Option<Event> {
    let (message, info) = (&inbound.message, &inbound.info);
    let source = &info.source;
    let (me, my_lid) = (client.pn(), client.lid());
    let is_me = |jid: &Jid| [&me, &my_lid].into_iter().flatten().any(|mine| mine.user == jid.user);
    // In a group a key names its author; in a chat of two the sender says whether it is the sender.
    let mine = |key: &wa::MessageKey| {
        let author = key.participant.as_deref().and_then(|author| author.parse::<Jid>().ok());
        match author {
            Some(author) => is_me(&author),
            None => key.from_me.unwrap_or(false) == source.is_from_me,
        }
    };
    let content = content::heard(message, &mine)?;
    // In a chat of two the other one's second name is told with the sender, or, of our own, with the recipient.
    let alt = if source.is_from_me { source.recipient_alt.as_ref() } else { source.sender_alt.as_ref() };
    let chat = address::of(&source.chat, if source.is_group { None } else { alt });
    let from = address::of(&source.sender, source.sender_alt.as_ref());
    let name = (!info.push_name.is_empty()).then(|| Private(info.push_name.clone()));
    Some(Event::Inbound(Box::new(Inbound {
        wa_id: info.id.to_string(),
        chat,
        from,
        from_me: source.is_from_me,
        at_ms: info.timestamp.timestamp_millis(),
        content,
        quote: content::quoted(message, &is_me),
        name,
    })))
}
