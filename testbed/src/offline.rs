//! What is owed to a device: every message, receipt and notification waits in the database until the device
//! acknowledges it, whether it was online or not. What waited while it was away is handed out after its login, announced
//! and in batches that the client asks for.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeValue};

use crate::error::{Result, protocol};
use crate::phone;
use crate::seat::Seat;
use crate::stanza::{attr, ib, receipt_ids};
use crate::world::{ConnId, Turn};

/// How many stanzas come before the client asks for a batch.
const PRIMER: u64 = 5;
/// The largest batch that is given.
const BATCH: u64 = 1000;
/// How long a client may take to ask for the next batch.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far the hand-over after a login is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drain {
    /// Whether the client has said it is ready.
    active: bool,
    /// How many were announced.
    total: u64,
    /// How many were handed over.
    given: u64,
    /// The position of the last one.
    seq: i64,
}

/// Owes a stanza to a device, and hands it over if the device is there.
pub(crate) fn owe(turn: &mut Turn<'_>, seat: Seat, node: Node) -> Result<()> {
    let stanza = wacore_binary::marshal(&node).map_err(protocol)?;
    let id = attr(&node, "id").unwrap_or_default();
    turn.db
        .prepare_cached("INSERT INTO pending (phone, device, class, id, stanza) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![seat.phone, seat.device, node.tag.as_ref(), id, stanza])?;
    let Some(&conn) = turn.live.online.get(&seat) else { return Ok(()) };
    if turn.live.conns.get(&conn).is_some_and(|conn| conn.drain.is_none() && !conn.ending) {
        turn.send(conn, node)?;
    }
    Ok(())
}

/// The client is ready for what waited (`<iq xmlns="passive"><active/>`).
pub(crate) fn on_active(turn: &mut Turn<'_>, conn: ConnId, seat: Seat) -> Result<()> {
    let count = |class: &str| -> Result<u64> {
        let mut count = turn
            .db
            .prepare_cached("SELECT count(*) FROM pending WHERE phone = ? AND device = ? AND class = ?")?;
        Ok(count.query_row(params![seat.phone, seat.device, class], |r| r.get(0))?)
    };
    let (messages, receipts, notifications) = (count("message")?, count("receipt")?, count("notification")?);
    let total = messages + receipts + notifications;
    let Some(drain) = turn.live.conns.get_mut(&conn).and_then(|conn| conn.drain.as_mut()) else {
        return Ok(());
    };
    if drain.active {
        return Ok(());
    }
    *drain = Drain { active: true, total, ..Drain::default() };
    if total > 0 {
        let preview = NodeBuilder::new("offline_preview")
            .attr("count", total.to_string())
            .attr("message", messages.to_string())
            .attr("receipt", receipts.to_string())
            .attr("notification", notifications.to_string())
            .attr("appdata", "0")
            .build();
        turn.send(conn, ib(preview))?;
    }
    hand_over(turn, conn, seat, PRIMER)
}

/// `<ib>` of a client: a request for the next batch, or what only statistics read.
pub(crate) fn on_ib(turn: &mut Turn<'_>, conn: ConnId, seat: Seat, node: &Node) -> Result<()> {
    let Some(batch) = node.get_optional_child("offline_batch") else { return Ok(()) };
    let count = attr(batch, "count").and_then(|c| c.parse().ok()).unwrap_or(100);
    hand_over(turn, conn, seat, count)
}

/// Hands over the next stanzas; after the last one says so, and from then on everything goes straight out.
fn hand_over(turn: &mut Turn<'_>, conn: ConnId, seat: Seat, count: u64) -> Result<()> {
    let drain = turn.live.conns.get(&conn).and_then(|conn| conn.drain.clone());
    let Some(mut drain) = drain.filter(|drain| drain.active) else { return Ok(()) };
    for _ in 0..count.min(BATCH) {
        let mut next = turn.db.prepare_cached(
            "SELECT seq, stanza FROM pending WHERE phone = ? AND device = ? AND seq > ? ORDER BY seq LIMIT 1",
        )?;
        let row: Option<(i64, Vec<u8>)> = next
            .query_row(params![seat.phone, seat.device, drain.seq], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let Some((seq, stanza)) = row else { break };
        drain.seq = seq;
        drain.given += 1;
        let mut node = read(&stanza)?;
        node.attrs.push_value("offline", NodeValue::from(drain.given.to_string()));
        turn.send(conn, node)?;
    }
    let mut left = turn
        .db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM pending WHERE phone = ? AND device = ? AND seq > ?)")?;
    let left: bool = left.query_row(params![seat.phone, seat.device, drain.seq], |r| r.get(0))?;
    let given = drain.given;
    let seq = drain.seq;
    if let Some(conn) = turn.live.conns.get_mut(&conn) {
        conn.drain = left.then_some(drain);
    }
    if left {
        // Baileys asks once, however much waits: it goes on by itself.
        turn.later(PATIENCE, conn, move |turn, conn| {
            let drain = turn.live.conns.get(&conn).and_then(|conn| conn.drain.as_ref());
            if drain.is_some_and(|drain| drain.seq == seq) {
                hand_over(turn, conn, seat, 100)
            } else {
                Ok(())
            }
        });
    } else {
        turn.send(conn, ib(NodeBuilder::new("offline").attr("count", given.to_string()).build()))?;
        phone::greet(turn, seat)?;
    }
    Ok(())
}

fn read(stanza: &[u8]) -> Result<Node> {
    // `marshal` writes a byte of flags before the node, which `unmarshal_ref` does not read.
    let body = stanza.get(1..).unwrap_or_default();
    Ok(wacore_binary::marshal::unmarshal_ref(body).map_err(protocol)?.to_owned())
}

/// `<ack>` of a client: it has a stanza.
pub(crate) fn on_ack(turn: &mut Turn<'_>, seat: Seat, node: &Node) -> Result<()> {
    let (Some(id), Some(class)) = (attr(node, "id"), attr(node, "class")) else { return Ok(()) };
    forget(turn, seat, &class, &id)
}

/// A receipt of a client says it has the messages.
pub(crate) fn on_receipt(turn: &mut Turn<'_>, seat: Seat, node: &Node) -> Result<()> {
    for id in receipt_ids(node) {
        forget(turn, seat, "message", &id)?;
    }
    Ok(())
}

fn forget(turn: &mut Turn<'_>, seat: Seat, class: &str, id: &str) -> Result<()> {
    turn.db
        .prepare_cached("DELETE FROM pending WHERE phone = ? AND device = ? AND class = ? AND id = ?")?
        .execute(params![seat.phone, seat.device, class, id])?;
    Ok(())
}
