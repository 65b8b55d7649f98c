//! Scripted failures: rules that a test sets by the admin API and takes back. They lie in the database, so that they
//! also outlive the testbed.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use wacore_binary::{Jid, JidExt as _, Node};

use crate::accounts;
use crate::error::{Error, Result};
use crate::login::{conflict, stream_error};
use crate::seat::Seat;
use crate::world::{ConnId, Live, Out, Turn};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// `<stream:error code>` and a close, on each socket of the device and after each of its logins.
    StreamError {
        /// 503, 515, 516, 429, 401, 409, …
        code: u16,
    },
    /// `<stream:error><conflict type="replaced"/>`: another socket took over.
    Replaced,
    /// `<stream:error code="401"><conflict type="device_removed"/>`. The pairing stays, so that it can be repeated;
    /// `POST /admin/companions/remove` really removes.
    DeviceRemoved,
    /// The TCP connection ends without a word.
    Eof,
    /// A WebSocket close.
    WsClose {
        /// 1000, 1001, 1011, …
        code: u16,
    },
    /// `<failure>` instead of `<success>`.
    LoginFailure {
        /// 401, 402, 403, 405, 406, 409, 500, 503, …
        reason: u16,
        /// The sort of ban, for 402.
        code: Option<u32>,
        /// Seconds of the ban, for 402.
        expire: Option<u64>,
    },
    /// A message is refused: its ack carries this error, and nobody gets it.
    Nack {
        /// 463 (reach-out timelock), 479 (invalid stanza), 475 (new chats capped), …
        code: u16,
        /// Seconds from now until the account may write again, which is what a question for the restriction answers.
        expire: Option<u64>,
        /// Whether only chats are hit in which the other side has never written.
        #[serde(default)]
        new_chats_only: bool,
    },
    /// Acks of messages come late.
    SlowAcks {
        /// Milliseconds.
        ms: u64,
    },
    /// Frames are read and nothing is answered, delivered or handled: on the sockets that are open, and while the rule
    /// stands on new ones. A socket that a rule of few times struck stays so until it ends.
    HalfOpen,
    /// TCP connections are closed as soon as they are made. Of all accounts: nobody is known yet.
    RefuseConnections,
    /// A message is delivered and its ack is lost.
    DropAck,
    /// Each device gets a message twice.
    Duplicate,
}

/// A failure in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Its number, to take it back by.
    #[serde(default)]
    pub id: i64,
    /// The account it is for; all if unsaid.
    pub phone: Option<u64>,
    /// The device it is for; all of the account if unsaid.
    pub device: Option<u16>,
    /// How often it strikes before it ends; until taken back if unsaid.
    pub times: Option<u32>,
    /// How often it has struck.
    #[serde(default)]
    pub struck: u32,
    /// When it was put in force, milliseconds since 1970.
    #[serde(default)]
    pub at: i64,
    /// What it does.
    pub failure: Failure,
}

impl Rule {
    /// Whether the time that the rule was given has passed.
    fn over(&self, now_ms: i64) -> bool {
        let Failure::Nack { expire: Some(seconds), .. } = self.failure else { return false };
        now_ms > self.at.saturating_add(seconds.saturating_mul(1000).cast_signed())
    }

    fn covers(&self, seat: Seat) -> bool {
        self.phone.is_none_or(|phone| phone == seat.phone)
            && self.device.is_none_or(|device| device == seat.device)
    }
}

/// The rules in force.
pub(crate) fn load(db: &Connection) -> Result<Vec<Rule>> {
    let mut list = db.prepare("SELECT id, body FROM rule ORDER BY id")?;
    let rows = list.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))?;
    let mut rules = Vec::new();
    for row in rows {
        let (id, body) = row?;
        if let Ok(rule) = serde_json::from_str::<Rule>(&body) {
            rules.push(Rule { id, ..rule });
        }
    }
    Ok(rules)
}

/// Puts a rule in force. What ends sockets strikes those that are open at once.
pub(crate) fn add(turn: &mut Turn<'_>, rule: Rule) -> Result<Rule> {
    if rule.times == Some(0) {
        return Err(Error::Refused(
            "times is 0: leave it out for a rule that stays, or say how often".into(),
        ));
    }
    let rule = Rule { struck: 0, at: turn.now, ..rule };
    turn.db.prepare_cached("INSERT INTO rule (body) VALUES (?)")?.execute([body(&rule)])?;
    let rule = Rule { id: turn.db.last_insert_rowid(), ..rule };
    turn.live.rules.push(rule.clone());
    let open: Vec<(ConnId, Seat)> = turn
        .live
        .online
        .iter()
        .filter(|(seat, _)| rule.covers(**seat))
        .map(|(seat, conn)| (*conn, *seat))
        .collect();
    for (conn, seat) in open {
        if ends_socket(&rule.failure).is_some() {
            after_login(turn, conn, seat)?;
        } else if rule.failure == Failure::HalfOpen {
            mute(turn, conn, seat)?;
        }
    }
    Ok(turn.live.rules.iter().find(|r| r.id == rule.id).cloned().unwrap_or(rule))
}

/// Takes a rule back; all of them without a number. Answers how many there were.
pub(crate) fn remove(turn: &mut Turn<'_>, id: Option<i64>) -> Result<usize> {
    for conn in turn.live.conns.values_mut() {
        if conn.mute.is_some() && id.is_none_or(|id| conn.mute == Some(id)) {
            conn.mute = None;
        }
    }
    turn.live.rules.retain(|rule| id.is_some_and(|id| id != rule.id));
    Ok(match id {
        Some(id) => turn.db.execute("DELETE FROM rule WHERE id = ?", [id])?,
        None => turn.db.execute("DELETE FROM rule", [])?,
    })
}

fn body(rule: &Rule) -> String {
    serde_json::to_string(rule).expect("a rule has no map with other keys than strings")
}

/// Takes the first rule for the device that `wanted` fits, counts it, and ends it if that was its last time.
fn strike(turn: &mut Turn<'_>, seat: Seat, wanted: impl Fn(&Failure) -> bool) -> Result<Option<Failure>> {
    let Some(at) = turn.live.rules.iter().position(|rule| rule.covers(seat) && wanted(&rule.failure)) else {
        return Ok(None);
    };
    let mut rule = turn.live.rules[at].clone();
    rule.struck += 1;
    if rule.times.is_some_and(|times| rule.struck >= times) {
        turn.db.prepare_cached("DELETE FROM rule WHERE id = ?")?.execute([rule.id])?;
        turn.live.rules.remove(at);
    } else {
        turn.db.prepare_cached("UPDATE rule SET body = ? WHERE id = ?")?.execute((body(&rule), rule.id))?;
        turn.live.rules[at] = rule.clone();
    }
    let text = serde_json::to_string(&rule.failure).unwrap_or_default();
    turn.note(0, Some(seat), "failure", Some(&text))?;
    Ok(Some(rule.failure))
}

/// The refusal of this login, if one is scripted.
pub(crate) fn at_login(turn: &mut Turn<'_>, seat: Seat) -> Result<Option<Node>> {
    let failure = strike(turn, seat, |failure| matches!(failure, Failure::LoginFailure { .. }))?;
    Ok(failure.and_then(|failure| failure.login_stanza()))
}

/// Ends a socket that just logged in, or that is open when the rule comes.
pub(crate) fn after_login(turn: &mut Turn<'_>, conn: ConnId, seat: Seat) -> Result<()> {
    let Some(failure) = strike(turn, seat, |failure| ends_socket(failure).is_some())? else { return Ok(()) };
    let Some((last_word, how)) = ends_socket(&failure) else { return Ok(()) };
    if let Some(node) = last_word {
        turn.send(conn, node)?;
    }
    turn.end(conn, how);
    Ok(())
}

/// What a failure says last on a socket, and how it ends it; `None` if it does not.
fn ends_socket(failure: &Failure) -> Option<(Option<Node>, Out)> {
    match *failure {
        Failure::StreamError { code } => Some((Some(stream_error(code)), Out::Close(1000))),
        Failure::Replaced => Some((Some(conflict("replaced", None)), Out::Close(1000))),
        Failure::DeviceRemoved => Some((Some(conflict("device_removed", Some(401))), Out::Close(1000))),
        Failure::Eof => Some((None, Out::Drop)),
        Failure::WsClose { code } => Some((None, Out::Close(code))),
        _ => None,
    }
}

/// Makes a socket half-open, if that is scripted.
pub(crate) fn mute(turn: &mut Turn<'_>, conn: ConnId, seat: Seat) -> Result<()> {
    let rule = turn.live.rules.iter().find(|rule| rule.covers(seat) && rule.failure == Failure::HalfOpen);
    let Some(id) = rule.map(|rule| rule.id) else { return Ok(()) };
    strike(turn, seat, |failure| *failure == Failure::HalfOpen)?;
    if let Some(conn) = turn.live.conns.get_mut(&conn) {
        conn.mute = Some(id);
    }
    Ok(())
}

/// Whether new connections are closed at once.
pub(crate) fn refuses_connections(live: &Live) -> bool {
    live.rules.iter().any(|rule| rule.failure == Failure::RefuseConnections)
}

/// What is to happen to a message.
#[derive(Default)]
pub(crate) struct Fate {
    pub nack: Option<u16>,
    pub ack_after_ms: Option<u64>,
    pub lose_ack: bool,
    pub twice: bool,
}

/// Until when messages of this device are refused with a code, in seconds since 1970; 0 if that has no end.
pub(crate) fn nacked_until(live: &Live, seat: Seat, wanted: u16, now_ms: i64) -> Option<i64> {
    live.rules.iter().filter(|rule| rule.covers(seat)).find_map(|rule| match rule.failure {
        Failure::Nack { code, expire, .. } if code == wanted && !rule.over(now_ms) => {
            Some(expire.map_or(0, |seconds| rule.at / 1000 + seconds.cast_signed()))
        }
        _ => None,
    })
}

/// The fate of a message that this device sends to a chat.
pub(crate) fn of_message(turn: &mut Turn<'_>, seat: Seat, to: &Jid) -> Result<Fate> {
    let mut fate = Fate::default();
    if turn.live.rules.is_empty() {
        return Ok(fate);
    }
    let known = knows(turn, seat, to)?;
    let now = turn.now;
    let over: Vec<i64> = turn.live.rules.iter().filter(|rule| rule.over(now)).map(|rule| rule.id).collect();
    for id in over {
        remove(turn, Some(id))?;
    }
    let refused = |failure: &Failure| matches!(*failure, Failure::Nack { new_chats_only, .. } if !(new_chats_only && known));
    if let Some(Failure::Nack { code, .. }) = strike(turn, seat, refused)? {
        fate.nack = Some(code);
        return Ok(fate);
    }
    if let Some(Failure::SlowAcks { ms }) = strike(turn, seat, |f| matches!(f, Failure::SlowAcks { .. }))? {
        fate.ack_after_ms = Some(ms);
    }
    fate.lose_ack = strike(turn, seat, |f| *f == Failure::DropAck)?.is_some();
    fate.twice = strike(turn, seat, |f| *f == Failure::Duplicate)?.is_some();
    Ok(fate)
}

/// Whether the other side of a chat has ever written to the account.
fn knows(turn: &Turn<'_>, seat: Seat, to: &Jid) -> Result<bool> {
    let Some(person) = accounts::resolve(turn.db, to)? else { return Ok(to.is_group()) };
    let mut find = turn
        .db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM chat WHERE phone = ? AND peer = ? AND from_me = 0)")?;
    Ok(find.query_row((seat.phone, person.phone.to_string()), |r| r.get(0))?)
}
