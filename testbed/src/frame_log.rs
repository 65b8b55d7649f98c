//! The frame log: every stanza that came in or was handed out, in order, durable with what it caused. It is the oracle
//! of tests. Bodies are not in it.

use rusqlite::{Connection, params};
use serde::Serialize;
use wacore_binary::{Jid, Node};

use crate::accounts;
use crate::error::Result;
use crate::seat::Seat;
use crate::stanza::{attr, children};

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A companion sent it.
    In,
    /// It was handed to a companion's socket.
    Out,
    /// A phone that the testbed plays did or saw it.
    Phone,
    /// A socket opened, logged in or ended; a rule struck.
    Event,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Phone => "phone",
            Self::Event => "event",
        }
    }
}

/// A line of the log as the admin API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Frame {
    /// Position: later is greater, also over a restart.
    pub n: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The socket; 0 is none.
    pub conn: i64,
    /// The account, once it is known.
    pub phone: Option<u64>,
    /// The device, once it is known.
    pub device: Option<u16>,
    /// `in`, `out`, `phone` or `event`.
    pub dir: String,
    /// The stanza's tag, or what happened.
    pub tag: String,
    /// The stanza's id.
    pub id: Option<String>,
    /// An ack's class, a request's namespace.
    pub class: Option<String>,
    /// The stanza's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The other side: `phone:device`, a group, or whatever was named.
    pub peer: Option<String>,
    /// The first child, an error code, or the SHA-256 of a text that a phone read.
    pub detail: Option<String>,
}

/// What to write down beside the stanza itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub at: i64,
    pub conn: u64,
    pub seat: Option<Seat>,
    pub direction: Direction,
    pub detail: Option<&'a str>,
}

/// Writes a stanza down.
pub(crate) fn stanza(db: &Connection, line: Line<'_>, node: &Node) -> Result<()> {
    let clip = |text: Option<String>| text.map(|t| t.chars().take(80).collect::<String>());
    let class = attr(node, "class").or_else(|| attr(node, "xmlns"));
    let peer = match attr(node, if line.direction == Direction::In { "to" } else { "from" }) {
        Some(jid) => Some(peer(db, &jid)?),
        None => None,
    };
    let first = children(node).first().map(|child| child.tag.to_string());
    let detail = line.detail.map(str::to_owned).or_else(|| {
        ["error", "code", "reason", "offline"]
            .iter()
            .find_map(|key| Some(format!("{key}={}", attr(node, key)?)))
            .or(first)
    });
    write(
        db,
        line,
        &clip(Some(node.tag.to_string())).unwrap_or_default(),
        [clip(attr(node, "id")), clip(class), clip(attr(node, "type")), clip(peer), clip(detail)],
    )
}

/// Writes an event down that is no stanza.
pub(crate) fn event(
    db: &Connection,
    line: Line<'_>,
    what: &str,
    id: Option<String>,
    peer: Option<String>,
) -> Result<()> {
    write(db, line, what, [id, None, None, peer, line.detail.map(str::to_owned)])
}

fn write(db: &Connection, line: Line<'_>, tag: &str, rest: [Option<String>; 5]) -> Result<()> {
    let [id, class, kind, peer, detail] = rest;
    db.prepare_cached(
        "INSERT INTO frame (at, conn, phone, device, dir, tag, id, class, type, peer, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        line.at,
        line.conn,
        line.seat.map(|s| s.phone),
        line.seat.map(|s| s.device),
        line.direction.name(),
        tag,
        id,
        class,
        kind,
        peer,
        detail
    ])?;
    Ok(())
}

/// The other side of a stanza: our accounts by number and device, whichever name was used.
fn peer(db: &Connection, jid: &str) -> Result<String> {
    if let Ok(parsed) = jid.parse::<Jid>()
        && let Some(person) = accounts::resolve(db, &parsed)?
    {
        return Ok(Seat { phone: person.phone, device: parsed.device }.to_string());
    }
    Ok(jid.to_owned())
}

/// Which part of the log to read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Wanted {
    /// Only lines after this position.
    #[serde(default)]
    pub after: i64,
    /// At most this many, 1000 if unsaid, never more than 10 000.
    pub limit: Option<u32>,
    /// Only this account.
    pub phone: Option<u64>,
    /// Only this stanza id.
    pub id: Option<String>,
    /// Only this tag.
    pub tag: Option<String>,
    /// Only this direction: `in`, `out`, `phone`, `event`.
    pub dir: Option<String>,
}

/// Reads a part of the log, oldest first.
pub(crate) fn read(db: &Connection, wanted: &Wanted) -> Result<Vec<Frame>> {
    let mut list = db.prepare_cached(
        "SELECT n, at, conn, phone, device, dir, tag, id, class, type, peer, detail FROM frame
         WHERE n > ?1 AND (?2 IS NULL OR phone = ?2) AND (?3 IS NULL OR id = ?3) AND (?4 IS NULL OR tag = ?4)
           AND (?5 IS NULL OR dir = ?5)
         ORDER BY n LIMIT ?6",
    )?;
    let limit = wanted.limit.unwrap_or(1000).min(10_000);
    let rows =
        list.query_map(params![wanted.after, wanted.phone, wanted.id, wanted.tag, wanted.dir, limit], |r| {
            Ok(Frame {
                n: r.get(0)?,
                at: r.get(1)?,
                conn: r.get(2)?,
                phone: r.get(3)?,
                device: r.get(4)?,
                dir: r.get(5)?,
                tag: r.get(6)?,
                id: r.get(7)?,
                class: r.get(8)?,
                kind: r.get(9)?,
                peer: r.get(10)?,
                detail: r.get(11)?,
            })
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
