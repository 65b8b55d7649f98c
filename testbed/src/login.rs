//! What follows the handshake: linking for a client without account, login for one with, and the end of either.

use std::time::Duration;

use rusqlite::params;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::accounts;
use crate::error::{Result, protocol};
use crate::failures::{self, Failure};
use crate::pairing;
use crate::seat::{Addressing, Seat};
use crate::usync;
use crate::world::{ConnId, Out, Turn, World};

/// How long a login waits for the end of the device's former socket to be noticed.
const PREDECESSOR: Duration = Duration::from_millis(100);

/// A client that closed one socket and opened the next has only one; but the end of the first may still lie unread when
/// the second logs in. Waits a moment for it, so that the count of sockets is of those the client really holds.
pub(crate) async fn settle_predecessor(world: &std::sync::Arc<World>, payload: &wa::ClientPayload) {
    let Some(seat) = seat(payload) else { return };
    for _ in 0..20 {
        let holds = world.read(|_, live| Ok(live.online.contains_key(&seat))).unwrap_or(false);
        if !holds {
            return;
        }
        tokio::time::sleep(PREDECESSOR / 20).await;
    }
}

fn seat(payload: &wa::ClientPayload) -> Option<Seat> {
    let device = u16::try_from(payload.device.unwrap_or(0)).ok()?;
    Some(Seat { phone: payload.username?, device })
}

/// Reads what the client wants and answers.
pub(crate) fn open(
    turn: &mut Turn<'_>,
    conn: ConnId,
    payload: &wa::ClientPayload,
    noise: &[u8],
) -> Result<()> {
    if let Some(registration) = payload.device_pairing_data.as_option() {
        return pairing::offer(turn, conn, registration, noise);
    }
    let seat = seat(payload).ok_or_else(|| protocol("neither a registration nor a login"))?;
    turn.note(conn, Some(seat), "login", None)?;
    if let Some(failure) = failures::at_login(turn, seat)? {
        return refuse(turn, conn, &failure);
    }
    let companion = accounts::companion(turn.db, seat)?;
    let paired = companion.is_some_and(|companion| companion.noise == noise);
    let person = accounts::person(turn.db, seat.phone)?;
    let (true, Some(person)) = (paired, person) else {
        return refuse(turn, conn, &failure_stanza(401, None, None));
    };

    if let Some(old) = turn.live.online.insert(seat, conn) {
        turn.send(old, conflict("replaced", None))?;
        turn.end(old, Out::Close(1000));
    }
    if let Some(conn) = turn.live.conns.get_mut(&conn) {
        conn.seat = Some(seat);
        conn.drain = Some(crate::offline::Drain::default());
    }
    count(turn, seat)?;
    failures::mute(turn, conn, seat)?;
    let success = NodeBuilder::new("success")
        .attr("t", turn.t())
        .attr("props", "1")
        .attr("lid", person.jid(seat.device, Addressing::Lid))
        .attr("location", "testbed")
        .build();
    turn.send(conn, success)?;
    failures::after_login(turn, conn, seat)
}

/// Adds this login to the device's count, and how many sockets it has at once.
fn count(turn: &Turn<'_>, seat: Seat) -> Result<()> {
    let now = turn.live.conns.values().filter(|conn| conn.seat == Some(seat)).count();
    turn.db
        .prepare_cached(
            "INSERT INTO socket VALUES (?1, ?2, 1, ?3)
             ON CONFLICT DO UPDATE SET logins = logins + 1, peak = max(peak, ?3)",
        )?
        .execute(params![seat.phone, seat.device, now])?;
    Ok(())
}

fn refuse(turn: &mut Turn<'_>, conn: ConnId, failure: &Node) -> Result<()> {
    turn.send(conn, failure.clone())?;
    turn.end(conn, Out::Close(1000));
    Ok(())
}

/// `<failure>`: why a login is refused. `code` and `expire` (seconds) belong to a ban (402).
pub(crate) fn failure_stanza(reason: u16, code: Option<u32>, expire: Option<u64>) -> Node {
    let mut node = NodeBuilder::new("failure").attr("reason", reason.to_string()).attr("location", "testbed");
    if let Some(code) = code {
        node = node.attr("code", code.to_string());
    }
    if let Some(expire) = expire {
        node = node.attr("expire", expire.to_string());
    }
    node.build()
}

/// The end of a stream for another socket's sake, or because the device was removed.
pub(crate) fn conflict(kind: &'static str, code: Option<u16>) -> Node {
    let mut node = NodeBuilder::new("stream:error");
    if let Some(code) = code {
        node = node.attr("code", code.to_string());
    }
    node.children([NodeBuilder::new("conflict").attr("type", kind).build()]).build()
}

/// A stream error by number.
pub(crate) fn stream_error(code: u16) -> Node {
    NodeBuilder::new("stream:error").attr("code", code.to_string()).build()
}

/// Tells a removed companion and forgets it.
pub(crate) fn remove(turn: &mut Turn<'_>, seat: Seat, tell: bool) -> Result<()> {
    accounts::remove_companion(turn.db, seat)?;
    usync::device_removed(turn, seat)?;
    if let Some(&conn) = turn.live.online.get(&seat) {
        if tell {
            turn.send(conn, conflict("device_removed", Some(401)))?;
        }
        turn.end(conn, Out::Close(1000));
    }
    turn.note(0, Some(seat), "companion.removed", None)
}

/// Forgets a socket that ended. Does nothing the second time.
pub(crate) fn closed(turn: &mut Turn<'_>, id: ConnId, why: &str) -> Result<()> {
    turn.live.pairing.remove(&id);
    let Some(conn) = turn.live.conns.remove(&id) else { return Ok(()) };
    if let Some(seat) = conn.seat
        && turn.live.online.get(&seat) == Some(&id)
    {
        turn.live.online.remove(&seat);
    }
    let why: String = why.chars().take(120).collect();
    turn.note(id, conn.seat, "closed", Some(&why))
}

impl Failure {
    /// The stanza that refuses a login, if that is what the failure does.
    pub(crate) fn login_stanza(&self) -> Option<Node> {
        match *self {
            Self::LoginFailure { reason, code, expire } => Some(failure_stanza(reason, code, expire)),
            _ => None,
        }
    }
}
