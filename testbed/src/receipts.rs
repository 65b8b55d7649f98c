//! Receipts: delivered, read, played, and requests to send again.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::accounts;
use crate::error::Result;
use crate::seat::{Addressing, Person, Seat, addressing};
use crate::stanza::{attr, children, jid, required};
use crate::world::{ConnId, Turn};
use crate::{groups, offline, phone};

/// A companion sends a receipt. It also says that the companion has the messages.
pub(crate) fn on_receipt(turn: &mut Turn<'_>, conn: ConnId, from: Seat, node: &Node) -> Result<()> {
    let id = required(node, "id")?;
    let to = jid(node, "to")?;
    let kind = attr(node, "type");
    offline::on_receipt(turn, from, node)?;
    relay(turn, from, node)?;

    let mut ack = NodeBuilder::new("ack").attr("class", "receipt").attr("id", id).attr("from", to);
    if let Some(kind) = kind {
        ack = ack.attr("type", kind);
    }
    if let Some(participant) = attr(node, "participant") {
        ack = ack.attr("participant", participant);
    }
    turn.send(conn, ack.build())
}

/// Passes a receipt on to those whose message it is about. A phone's receipts go the same way.
pub(crate) fn relay(turn: &mut Turn<'_>, from: Seat, node: &Node) -> Result<()> {
    let to = jid(node, "to")?;
    let kind = attr(node, "type").unwrap_or_default();
    let author: Jid = match attr(node, "participant") {
        Some(_) if to.is_group() => jid(node, "participant")?,
        _ => to.clone(),
    };
    let Some(person) = accounts::resolve(turn.db, &author)? else { return Ok(()) };
    let reader = accounts::known(turn.db, from.phone)?;
    let naming = match groups::find(turn.db, &to.user)? {
        Some(group) if to.is_group() => group.naming,
        _ => addressing(&to),
    };
    let receipt = envelope(turn, node, &to, &reader, from.device, naming);
    match kind.as_str() {
        // Between one's own devices, or for the server alone.
        "sender" | "peer_msg" | "hist_sync" | "read-self" | "played-self" => Ok(()),
        // The one device that sent it sends it again.
        "retry" | "enc_rekey_retry" => {
            let seat = Seat { phone: person.phone, device: author.device };
            if seat.device == 0 {
                phone::on_retry(turn, seat.phone, from, node)
            } else {
                owe(turn, seat, receipt)
            }
        }
        _ => {
            phone::on_receipt(turn, &person, node)?;
            for device in accounts::companions(turn.db, person.phone)? {
                let seat = Seat { phone: person.phone, device };
                if seat != from {
                    owe(turn, seat, receipt.clone())?;
                }
            }
            Ok(())
        }
    }
}

fn owe(turn: &mut Turn<'_>, seat: Seat, receipt: Node) -> Result<()> {
    if accounts::companion(turn.db, seat)?.is_some() { offline::owe(turn, seat, receipt) } else { Ok(()) }
}

fn envelope(
    turn: &Turn<'_>,
    node: &Node,
    to: &Jid,
    reader: &Person,
    device: u16,
    naming: Addressing,
) -> Node {
    let mut receipt = NodeBuilder::new("receipt").attr("id", attr(node, "id").unwrap_or_default());
    receipt = if to.is_group() {
        receipt.attr("from", to.clone()).attr("participant", reader.jid(device, naming))
    } else {
        receipt.attr("from", reader.jid(device, naming))
    };
    if let Some(kind) = attr(node, "type") {
        receipt = receipt.attr("type", kind);
    }
    receipt = receipt.attr("t", turn.t());
    let parts: Vec<Node> = children(node).iter().take(8).cloned().collect();
    if parts.is_empty() { receipt.build() } else { receipt.children(parts).build() }
}
