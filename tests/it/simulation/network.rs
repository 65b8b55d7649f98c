//! A network with clocks of its own: accounts, links, frames, and receipts that are owed until confirmed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use columba::domain::chat::Chat;
use columba::domain::id::SessionId;
use columba::domain::message::{ReceiptKind, WaId};
use columba::domain::session::{CloseReason, Epoch};
use columba::domain::time::WallTime;
use columba::history::record::FrameLine;
use columba::ports::transport::SendError;

use super::clock::dated;
use super::dice::Dice;

/// To this one a frame is refused twice, then taken.
pub const REFUSING: &str = "+15550000503";
/// To this one frames are refused for a minute, then taken.
pub const LOCKING: &str = "+15550000463";
const NO_ACCOUNT: &str = "+15550000404";
const SILENT: &str = "+15550000408";

/// Every number that is written to.
pub const NUMBERS: [&str; 7] =
    ["+15551230001", "+15551230002", "+15551230003", REFUSING, LOCKING, NO_ACCOUNT, SILENT];

/// What a link has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Says {
    Code,
    Paired(u64),
    Connected,
    Synced,
    Timelocked(WallTime),
    Receipt(u64),
    Closed(CloseReason),
}

/// One open link.
#[derive(Debug)]
pub struct Link {
    pub id: u64,
    epoch: Epoch,
    /// With the true time from which it is told.
    says: VecDeque<(u64, Says)>,
    /// Logged in: frames pass.
    pub live: bool,
    /// It waits for a person.
    pub pairing: bool,
    /// Half open: nothing is ever answered.
    mute: bool,
    over: bool,
}

/// A receipt that is owed.
#[derive(Debug, Clone)]
pub struct Owed {
    pub wa_id: WaId,
    pub kind: ReceiptKind,
    due: u64,
}

/// What the network keeps of one session.
#[derive(Debug, Default)]
pub struct Line {
    account: Option<u64>,
    banned_until: u64,
    pub link: Option<Link>,
    pub owed: BTreeMap<u64, Owed>,
    refused: HashMap<WaId, u32>,
    locked_until: Option<u64>,
    taken: HashSet<WaId>,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// It comes then, if the link holds.
    At(u64, Result<(), SendError>),
    Never,
}

#[derive(Default)]
pub struct Network {
    pub lines: BTreeMap<SessionId, Line>,
    pub frames: Vec<FrameLine>,
    last: u64,
    /// Nothing is lost any more and nobody closes a link.
    pub well: bool,
}

impl Network {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn line(&mut self, session: SessionId) -> &mut Line {
        self.lines.entry(session).or_default()
    }

    /// Opens a link in place of the older one; its id.
    pub fn open(
        &mut self,
        session: SessionId,
        epoch: Epoch,
        token: Option<u64>,
        now: u64,
        wall: WallTime,
        dice: &mut Dice,
    ) -> u64 {
        let id = self.number();
        let well = self.well;
        let line = self.line(session);
        let soon = now + dice.below(1_500);
        let (live, pairing, mut says) = match token {
            _ if line.banned_until > now => {
                let until = WallTime(wall.0 + (line.banned_until - now) as i64);
                (false, false, vec![(soon, Says::Closed(CloseReason::Banned { until }))])
            }
            None => (false, true, vec![(soon, Says::Code)]),
            Some(token) if line.account == Some(token) => {
                let mut says = vec![(soon, Says::Connected)];
                if well || dice.chance(80) {
                    says.push((soon + dice.below(3_000), Says::Synced));
                }
                (true, false, says)
            }
            Some(_) => (false, false, vec![(soon, Says::Closed(CloseReason::LoggedOut { code: 401 }))]),
        };
        if !well && dice.chance(10) {
            says = vec![(soon, Says::Closed(CloseReason::ServerUnavailable))];
        }
        let over = says.iter().any(|(_, said)| matches!(said, Says::Closed(_)));
        let owed: Vec<_> =
            line.owed.iter().map(|(&number, owed)| (owed.due.max(soon), Says::Receipt(number))).collect();
        if live && !over {
            says.splice(1..1, owed);
        }
        line.link = Some(Link {
            id,
            epoch,
            says: says.into(),
            live: live && !over,
            pairing: pairing && !over,
            mute: false,
            over,
        });
        id
    }

    /// The holder dropped its link.
    pub fn hang_up(&mut self, session: SessionId, id: u64) {
        let line = self.line(session);
        line.link.take_if(|link| link.id == id);
    }

    /// The next thing a link says, if it is time.
    pub fn hear(&mut self, session: SessionId, id: u64, now: u64) -> Option<Says> {
        let link = self.line(session).link.as_mut().filter(|link| link.id == id)?;
        link.says.front().filter(|(due, _)| *due <= now)?;
        link.says.pop_front().map(|(_, said)| said)
    }

    /// When it says it.
    pub fn speaks_at(&self, session: SessionId, id: u64) -> Option<u64> {
        let link = self.lines.get(&session)?.link.as_ref().filter(|link| link.id == id)?;
        link.says.front().map(|(due, _)| *due)
    }

    fn live(&mut self, session: SessionId, epoch: Epoch) -> Option<&mut Link> {
        self.line(session).link.as_mut().filter(|link| link.live && !link.over && link.epoch == epoch)
    }

    /// Whether a frame that left on this link may still be answered.
    pub fn holds(&self, session: SessionId, id: u64) -> bool {
        let link = self.lines.get(&session).and_then(|line| line.link.as_ref());
        link.is_some_and(|link| link.id == id && !link.over)
    }

    pub fn ping(&mut self, session: SessionId, epoch: Epoch) -> bool {
        self.live(session, epoch).is_some_and(|link| !link.mute)
    }

    /// Receives a frame; the link it came by.
    pub fn receive(
        &mut self,
        session: SessionId,
        epoch: Epoch,
        wa_id: WaId,
        to: Chat,
        now: u64,
        dice: &mut Dice,
    ) -> Result<(u64, Answer), SendError> {
        let (id, mute) = match self.live(session, epoch) {
            Some(link) => (link.id, link.mute),
            None => return Err(SendError::NoLink),
        };
        if mute {
            return Ok((id, Answer::Never));
        }
        let seq = self.number();
        self.frames.push(FrameLine {
            seq,
            at: dated(now),
            session,
            wa_id: wa_id.clone(),
            to: to.clone(),
            epoch,
        });
        let well = self.well;
        let said = self.judge(session, &wa_id, &to, now);
        let when = now + dice.below(800);
        let Some(said) = said else { return Ok((id, Answer::Never)) };
        if said.is_ok() && self.line(session).taken.insert(wa_id.clone()) {
            self.owe(session, wa_id, when, dice);
        }
        let lost = !well && dice.chance(8);
        Ok((id, if lost { Answer::Never } else { Answer::At(when, said) }))
    }

    fn judge(
        &mut self,
        session: SessionId,
        wa_id: &WaId,
        to: &Chat,
        now: u64,
    ) -> Option<Result<(), SendError>> {
        let line = self.line(session);
        let nack = |code| Some(Err(SendError::Nack { code, until: None }));
        match to.as_str() {
            _ if line.taken.contains(wa_id) => Some(Ok(())),
            NO_ACCOUNT => nack(404),
            SILENT => None,
            LOCKING if now < *line.locked_until.get_or_insert(now + 60_000) => nack(463),
            REFUSING => {
                let refused = line.refused.entry(wa_id.clone()).or_default();
                *refused += 1;
                if *refused <= 2 { nack(503) } else { Some(Ok(())) }
            }
            _ => Some(Ok(())),
        }
    }

    /// Receipts follow an ack: late, and some of them twice.
    fn owe(&mut self, session: SessionId, wa_id: WaId, when: u64, dice: &mut Dice) {
        let mut due = when;
        for kind in [ReceiptKind::Server, ReceiptKind::Delivered, ReceiptKind::Read] {
            // The ack itself comes again only now and then.
            if kind == ReceiptKind::Server && !dice.chance(20) {
                continue;
            }
            for _ in 0..1 + u64::from(dice.chance(15)) {
                due += dice.below(30_000);
                let number = self.number();
                let line = self.line(session);
                line.owed.insert(number, Owed { wa_id: wa_id.clone(), kind, due });
                if let Some(link) = line.link.as_mut().filter(|link| link.live && !link.over) {
                    link.tell(due, Says::Receipt(number));
                }
            }
        }
    }

    /// A receipt is safe, if its link still holds.
    pub fn confirm(&mut self, session: SessionId, id: u64, number: u64) {
        if self.holds(session, id) {
            self.line(session).owed.remove(&number);
        }
    }

    /// Somebody scans the code of a session that shows one.
    pub fn scan(&mut self, session: SessionId, now: u64) -> bool {
        let token = self.number();
        let line = self.line(session);
        let Some(link) = line.link.as_mut().filter(|link| link.pairing && !link.over) else { return false };
        line.account = Some(token);
        line.owed.clear();
        link.tell(now, Says::Paired(token));
        link.close(now, CloseReason::RestartRequired);
        true
    }

    pub fn shows_code(&self, session: SessionId) -> bool {
        let link = self.lines.get(&session).and_then(|line| line.link.as_ref());
        link.is_some_and(|link| link.pairing && !link.over && link.says.is_empty())
    }

    /// Forgets a session's account.
    pub fn unlink(&mut self, session: SessionId, now: u64) {
        let line = self.line(session);
        line.account = None;
        line.owed.clear();
        if let Some(link) = &mut line.link {
            link.close(now, CloseReason::LoggedOut { code: 401 });
        }
    }

    pub fn log_out(&mut self, session: SessionId, epoch: Epoch, now: u64) {
        if self.live(session, epoch).is_some() {
            self.unlink(session, now);
        }
    }

    /// Plays trouble on a link; in words.
    pub fn trouble(&mut self, session: SessionId, now: u64, wall: WallTime, dice: &mut Dice) -> String {
        use CloseReason as C;
        let until = WallTime(wall.0 + 60_000);
        let reason = match dice.below(24) {
            0..=6 => C::TransportLost,
            7 | 8 => C::ServerUnavailable,
            9 => C::Malformed,
            10 => C::RestartRequired,
            11 => C::Throttled,
            12 | 13 => C::Replaced,
            14 => C::Banned { until },
            15 => C::ClientOutdated,
            16 => C::Unknown { code: 599 },
            17 => {
                self.unlink(session, now);
                return "device removed".to_owned();
            }
            kind => {
                let link = self.line(session).link.as_mut().filter(|link| link.live && !link.over);
                match link {
                    Some(link) if kind < 21 => link.mute = true,
                    Some(link) => link.tell(now, Says::Timelocked(until)),
                    None => {}
                }
                return if kind < 21 { "half open".to_owned() } else { "time lock".to_owned() };
            }
        };
        let line = self.line(session);
        if let C::Banned { .. } = reason {
            line.banned_until = now + 60_000;
        }
        if let Some(link) = &mut line.link {
            link.close(now, reason);
        }
        format!("{reason:?}")
    }
}

impl Link {
    fn tell(&mut self, due: u64, says: Says) {
        let place = self.says.iter().position(|(other, _)| *other > due).unwrap_or(self.says.len());
        self.says.insert(place, (due, says));
    }

    /// The last word; what was not told by then is not told.
    fn close(&mut self, now: u64, reason: CloseReason) {
        if !std::mem::replace(&mut self.over, true) {
            self.says.retain(|(_, said)| matches!(said, Says::Paired(_)));
            self.says.push_back((now, Says::Closed(reason)));
        }
    }
}
