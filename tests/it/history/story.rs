//! Histories that keep every promise: one written by hand, and any number made up from a seed.

use std::collections::{BTreeMap, HashSet};

use columba::domain::chat::Chat;
use columba::domain::id::{InvoiceId, MessageId, SessionId, TenantId};
use columba::domain::invoice::{Account, EntryKind, InvoiceStatus};
use columba::domain::message::{Delivery, Direction, MessageStatus, WaId};
use columba::domain::money::Currency;
use columba::domain::session::{Epoch, SessionStatus};
use columba::domain::time::WallTime;
use columba::history::History;
use columba::history::record::{
    AcceptedLine, AttemptLine, CapLine, Charge, EntryLine, FrameLine, InboundLine, InvoiceLine, MessageLine,
    NoteLine, SeriesLine, SessionLine, UsageLine,
};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng};
use uuid::Uuid;

pub const START: i64 = 1_795_000_000_000;
pub const MONTH: WallTime = WallTime(1_793_491_200_000);
pub const REFUSING: &str = "+15550000503";

pub fn tenant(number: u128) -> TenantId {
    Uuid::from_u128(number).into()
}

pub fn session(number: u128) -> SessionId {
    Uuid::from_u128(0x100 + number).into()
}

pub fn id(number: u128) -> MessageId {
    Uuid::from_u128(0x10_000 + number).into()
}

pub fn chat(number: u64) -> Chat {
    Chat::stored(format!("+1555123{number:04}"))
}

pub fn at(seconds: i64) -> WallTime {
    WallTime(START + seconds * 1_000)
}

/// Message `number` of session 1 to `to`, accepted a second after the one before, sent with its first attempt.
pub fn sent(number: u128, to: u64) -> MessageLine {
    let accepted = number as i64;
    MessageLine {
        ord: number as i64,
        id: id(number),
        tenant: tenant(1),
        session: session(1),
        direction: Direction::Out,
        chat: chat(to),
        wa_id: WaId(format!("3EB0{number:020}")),
        status: MessageStatus::Sent,
        attempts: 1,
        delivery: Delivery::AtLeastOnce,
        charge: Charge::Charged,
        period: Some(MONTH),
        send_at: None,
        not_before: Some(at(accepted)),
        expires_at: Some(at(accepted + 86_400)),
        queued_at: Some(at(accepted)),
        attempted_at: Some(at(accepted + 1)),
        sent_at: Some(at(accepted + 1)),
        received_at: None,
    }
}

/// The same, never attempted and not counted.
pub fn waiting(number: u128, to: u64) -> MessageLine {
    MessageLine {
        status: MessageStatus::Queued,
        attempts: 0,
        charge: Charge::None,
        attempted_at: None,
        sent_at: None,
        ..sent(number, to)
    }
}

/// Attempt `number` at a row, by the first owner, at `wall`.
pub fn attempt(row: &MessageLine, number: u32, wall: WallTime) -> AttemptLine {
    AttemptLine {
        ord: wall.0,
        message: row.id,
        number,
        session: row.session,
        tenant: row.tenant,
        epoch: Epoch(1),
        boot: Uuid::from_u128(1),
        moment: (wall.0 - START) as u64 + 3_600_000,
        wall,
    }
}

/// Frame `seq` of a row, by the first owner, at `at`.
pub fn frame(row: &MessageLine, seq: u64, at: WallTime) -> FrameLine {
    let (session, wa_id, to) = (row.session, row.wa_id.clone(), row.chat.clone());
    FrameLine { seq, at, session, wa_id, to, epoch: Epoch(1) }
}

/// What a client was promised for a row.
pub fn promise(row: &MessageLine) -> AcceptedLine {
    let (message, session, to) = (row.id, row.session, row.chat.clone());
    AcceptedLine { message, session, to, wall: row.queued_at.unwrap() }
}

/// Adds a row that was sent at once, with its attempt and its frame.
pub fn add(history: &mut History, row: MessageLine) {
    let when = row.attempted_at.unwrap();
    history.attempts.push(attempt(&row, 1, when));
    history.frames.push(frame(&row, row.ord as u64 * 10, when));
    history.accepted.push(promise(&row));
    history.messages.push(row);
}

/// Four messages of one session to two chats, ten seconds apart, and one that came in, under a cap of three. Two owners
/// were; nothing happened for an hour after.
pub fn plain() -> History {
    let mut history = History { has_journal: true, has_rows: true, ..History::default() };
    history.as_of = Some(at(3_600));
    history.refusing.insert(Chat::stored(REFUSING.to_owned()));
    history.caps.push(CapLine { tenant: tenant(1), from: at(0), per_minute: 3, per_minute_tenant: None });
    history.sessions.push(SessionLine {
        id: session(1),
        tenant: tenant(1),
        epoch: Epoch(2),
        status: SessionStatus::Connected,
        since: at(0),
        deleted: false,
    });
    for (number, to) in [(10, 1), (20, 2), (30, 1), (300, 2)] {
        add(&mut history, sent(number, to));
    }
    history.usage.push(UsageLine { tenant: tenant(1), period: MONTH, used: 4, held: 0 });
    let wa_id = WaId("3EB0IN".to_owned());
    let came = InboundLine { at: at(50), session: session(1), number: 1, wa_id, from: chat(1), chat: None };
    history.messages.push(received(500, &came));
    history.inbound.push(came);
    history.confirmed.insert((session(1), 1));
    books(&mut history);
    history
}

/// An invoice that was paid and of which a part was taken back then, one that was taken back, and one that was given up and paid in
/// part all the same.
fn books(history: &mut History) {
    let currency: Currency = "EUR".parse().expect("a currency");
    let account = Account {
        subtotal_minor: 1_000,
        tax_rate_bps: 1_900,
        tax_minor: 190,
        total_minor: 1_190,
        applied_minor: 0,
        paid_minor: 0,
        credited_minor: 0,
        noted_minor: 0,
    };
    let mut invoice = |count: u8, status, account: Account, entries: &[(EntryKind, i64)]| {
        let id = InvoiceId::from(Uuid::from_u128(count.into()));
        let number = format!("INV-00000{count}");
        let (tenant, lines_minor) = (tenant(1), account.subtotal_minor);
        history.invoices.push(InvoiceLine { id, tenant, number, status, currency, lines_minor, account });
        let issued = [(EntryKind::Invoice, account.total_minor)];
        history.entries.extend(issued.iter().chain(entries).map(|&(what, amount_minor)| EntryLine {
            what,
            amount_minor,
            currency,
            invoice: Some(id),
        }));
        id
    };
    let paid = Account { paid_minor: 1_190, noted_minor: 190, ..account };
    let first =
        invoice(1, InvoiceStatus::Paid, paid, &[(EntryKind::Payment, -1_190), (EntryKind::CreditNote, -190)]);
    invoice(2, InvoiceStatus::Void, account, &[(EntryKind::Void, -1_190)]);
    let part = Account { paid_minor: 90, ..account };
    let given_up = [(EntryKind::WriteOff, -1_190), (EntryKind::Recovery, 90), (EntryKind::Payment, -90)];
    invoice(3, InvoiceStatus::Uncollectible, part, &given_up);
    history.notes.push(NoteLine { number: "CN-000001".to_owned(), invoice: first, amount_minor: 190 });
    let series = |series: &str, next| SeriesLine { series: series.to_owned(), next };
    history.series.extend([series("INV-", 4), series("CN-", 2)]);
}

/// The row of a message that came in.
pub fn received(number: u128, came: &InboundLine) -> MessageLine {
    MessageLine {
        direction: Direction::In,
        chat: came.from.clone(),
        wa_id: came.wa_id.clone(),
        session: came.session,
        status: MessageStatus::Received,
        expires_at: None,
        period: None,
        received_at: Some(came.at),
        ..waiting(number, 1)
    }
}

/// Makes up a history in which every promise is kept: three sessions of two tenants, one with a sum, owners that crash,
/// machines that start again, numbers that refuse, plans that change.
pub struct Author {
    random: SmallRng,
    pub history: History,
    /// True time, in milliseconds from the start.
    now: i64,
    boot: u128,
    /// True time at which this boot began.
    booted: i64,
    next: u128,
    seq: u64,
    inbound: u64,
    epochs: BTreeMap<SessionId, i64>,
    /// Owners that came and have not sent yet may find the window unknown until then.
    shut: BTreeMap<SessionId, i64>,
    caps: BTreeMap<TenantId, (u32, Option<u32>)>,
    /// True times of attempts.
    sent: Vec<(TenantId, SessionId, i64)>,
}

const SESSIONS: [(u128, u128); 3] = [(1, 1), (1, 2), (2, 3)];

pub fn lawful(seed: u64, steps: u32) -> History {
    let mut author = Author::new(seed);
    (0..steps).for_each(|_| author.step());
    author.close()
}

impl Author {
    fn new(seed: u64) -> Self {
        let mut author = Self {
            random: SmallRng::seed_from_u64(seed),
            history: History { has_journal: true, has_rows: true, ..History::default() },
            now: 0,
            boot: 1,
            booted: -3_600_000,
            next: 1,
            seq: 0,
            inbound: 0,
            epochs: SESSIONS.iter().map(|&(_, number)| (session(number), 1)).collect(),
            shut: BTreeMap::new(),
            caps: BTreeMap::new(),
            sent: vec![],
        };
        author.history.refusing.insert(Chat::stored(REFUSING.to_owned()));
        author.cap(tenant(1), 3, Some(4));
        author.cap(tenant(2), 2, None);
        author
    }

    fn wall(&self) -> WallTime {
        WallTime(START + self.now)
    }

    fn cap(&mut self, tenant: TenantId, per_minute: u32, per_minute_tenant: Option<u32>) {
        self.caps.insert(tenant, (per_minute, per_minute_tenant));
        let from = self.wall();
        self.history.caps.push(CapLine { tenant, from, per_minute, per_minute_tenant });
    }

    fn step(&mut self) {
        match self.random.random_range(0..20) {
            0..=5 => self.accept(),
            6..=13 => self.send(),
            14 => self.receive(),
            15 => self.end_one(),
            16 => {
                let crashed = self.any_session().1;
                *self.epochs.get_mut(&crashed).unwrap() += 1;
                self.recover(crashed);
            }
            17 if self.random.random_bool(0.1) => {
                // Every owner is another one, and nobody knows how long the machine was down.
                self.now += self.random.random_range(0..5_000);
                self.boot += 1;
                self.booted = self.now;
                for (_, number) in SESSIONS {
                    *self.epochs.get_mut(&session(number)).unwrap() += 1;
                    self.shut.insert(session(number), self.now + 61_000);
                    self.recover(session(number));
                }
            }
            18 if self.random.random_bool(0.2) => {
                let (per_minute, sum) = (self.random.random_range(1..5), self.random.random_range(1..6));
                self.cap(tenant(1), per_minute, Some(sum).filter(|sum| sum % 3 != 0));
            }
            _ => self.now += self.random.random_range(0..20_000),
        }
    }

    fn any_session(&mut self) -> (TenantId, SessionId) {
        let (whose, number) = SESSIONS[self.random.random_range(0..3)];
        (tenant(whose), session(number))
    }

    fn accept(&mut self) {
        let (tenant, session) = self.any_session();
        let number = self.next;
        self.next += 1;
        let to = match self.random.random_range(0..4) {
            0 => Chat::stored(REFUSING.to_owned()),
            other => chat(other),
        };
        let once = self.random.random_bool(0.2);
        let send_at = self.random.random_bool(0.2).then(|| self.random.random_range(0..60_000));
        let lives = self.random.random_range(30_000..900_000);
        let row = MessageLine {
            ord: number as i64,
            tenant,
            session,
            chat: to,
            delivery: if once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce },
            charge: if self.random.random_bool(0.8) { Charge::Held } else { Charge::None },
            send_at: send_at.map(|wait| WallTime(START + self.now + wait)),
            not_before: None,
            queued_at: Some(self.wall()),
            expires_at: Some(WallTime(START + self.now + lives)),
            ..waiting(number, 1)
        };
        self.history.accepted.push(promise(&row));
        self.history.messages.push(row);
    }

    /// The places of rows that wait and that `wanted` picks.
    fn rows(&self, wanted: impl Fn(&MessageLine) -> bool) -> Vec<usize> {
        let rows = self.history.messages.iter().enumerate();
        rows.filter(|(_, row)| row.direction == Direction::Out && wanted(row))
            .map(|(place, _)| place)
            .collect()
    }

    fn is_free(&self, row: &MessageLine) -> bool {
        let now = self.wall();
        let is_scheduled = |row: &MessageLine| row.send_at.is_some_and(|at| at > now);
        let has_ended = |row: &MessageLine| row.expires_at.is_some_and(|end| end <= now);
        let stands_before = |other: &MessageLine| {
            (other.session, &other.chat) == (row.session, &row.chat)
                && (other.status == MessageStatus::Sending
                    || other.status == MessageStatus::Queued
                        && other.ord < row.ord
                        && !is_scheduled(other)
                        && !has_ended(other))
        };
        row.status == MessageStatus::Queued
            && !is_scheduled(row)
            && !has_ended(row)
            && !self.history.messages.iter().any(stands_before)
    }

    /// Whether another attempt keeps every cap in force.
    fn has_room(&self, tenant: TenantId, session: SessionId) -> bool {
        let (cap, sum) = self.caps[&tenant];
        let recent = self.sent.iter().filter(|(_, _, when)| self.now - when < 61_000);
        let own = recent.clone().filter(|(_, one, _)| *one == session).count();
        let all = recent.filter(|(one, _, _)| *one == tenant).count();
        own < cap as usize
            && sum.is_none_or(|sum| all < sum as usize)
            && self.shut.get(&session).is_none_or(|until| *until <= self.now)
    }

    fn send(&mut self) {
        let (tenant, session) = self.any_session();
        let free = self.rows(|row| row.session == session && self.is_free(row));
        if free.is_empty() || !self.has_room(tenant, session) {
            self.now += self.random.random_range(0..5_000);
            return;
        }
        let place = free[self.random.random_range(0..free.len())];
        let (wall, epoch) = (self.wall(), Epoch(self.epochs[&session]));
        self.sent.push((tenant, session, self.now));
        let row = &mut self.history.messages[place];
        row.attempts += 1;
        row.status = MessageStatus::Sending;
        row.attempted_at = Some(wall);
        let attempt = AttemptLine {
            epoch,
            boot: Uuid::from_u128(self.boot),
            moment: (self.now - self.booted) as u64,
            ord: self.sent.len() as i64,
            ..attempt(row, row.attempts, wall)
        };
        self.history.attempts.push(attempt);
        self.now += self.random.random_range(0..900);
        let leaves = self.random.random_bool(0.9);
        if leaves {
            self.seq += 1;
            let (at, row) = (self.wall(), &self.history.messages[place]);
            let frame = FrameLine { epoch, ..frame(row, self.seq, at) };
            self.history.frames.push(frame);
        }
        self.now += self.random.random_range(0..300);
        self.answer(place, leaves);
    }

    fn answer(&mut self, place: usize, left: bool) {
        let (wall, refusing) = (self.wall(), self.history.refusing.clone());
        let dice = self.random.random_range(0..10);
        let row = &mut self.history.messages[place];
        let refuses = refusing.contains(&row.chat);
        match dice {
            // Nobody hears of it: a next owner finds it.
            0 => {}
            _ if !left || refuses && dice < 5 => row.status = MessageStatus::Queued,
            1 => end(row, MessageStatus::Failed),
            2 => row.status = MessageStatus::Unknown,
            _ => arrive(row, wall),
        }
    }

    /// A new owner deals with what earlier ones left.
    fn recover(&mut self, session: SessionId) {
        let (now, places) =
            (self.wall(), self.rows(|row| row.session == session && row.status == MessageStatus::Sending));
        for place in places {
            let row = &mut self.history.messages[place];
            let again = row.delivery == Delivery::AtLeastOnce && row.expires_at.is_none_or(|end| end > now);
            row.status = if again { MessageStatus::Queued } else { MessageStatus::Unknown };
        }
    }

    /// Takes one back, lets one expire, hears late of one, or gives up on one.
    fn end_one(&mut self) {
        let (now, open) = (self.wall(), self.rows(|row| row.sent_at.is_none()));
        if open.is_empty() {
            return;
        }
        let place = open[self.random.random_range(0..open.len())];
        let has_left =
            self.history.frames.iter().any(|frame| frame.wa_id == self.history.messages[place].wa_id);
        let row = &mut self.history.messages[place];
        match row.status {
            MessageStatus::Queued if row.expires_at.is_some_and(|end| end <= now) => {
                end(row, MessageStatus::Expired)
            }
            MessageStatus::Queued if has_left => arrive(row, now),
            MessageStatus::Queued => end(row, MessageStatus::Canceled),
            MessageStatus::Unknown if has_left => arrive(row, now),
            MessageStatus::Unknown if row.charge == Charge::Held => row.charge = Charge::Released,
            _ => {}
        }
    }

    fn receive(&mut self) {
        let (tenant, session) = self.any_session();
        self.inbound += 1;
        let (number, from) = (self.inbound, chat(self.random.random_range(1..4)));
        let wa_id = WaId(format!("3EB0IN{number}"));
        let came = InboundLine { at: self.wall(), session, number, wa_id, from, chat: None };
        if self.random.random_bool(0.9) {
            self.next += 1;
            let ord = self.next as i64 - 1;
            self.history.messages.push(MessageLine { tenant, ord, ..received(self.next - 1, &came) });
            if self.random.random_bool(0.9) {
                self.history.confirmed.insert((session, number));
            }
        }
        self.history.inbound.push(came);
    }

    /// Ends what is open, and writes the books.
    fn close(mut self) -> History {
        self.now += 1_000;
        let now = self.wall();
        for place in self.rows(|row| matches!(row.status, MessageStatus::Queued | MessageStatus::Sending)) {
            let row = &mut self.history.messages[place];
            let status = match row.status {
                MessageStatus::Sending => MessageStatus::Unknown,
                _ if row.expires_at.is_some_and(|end| end <= now) => MessageStatus::Expired,
                _ => MessageStatus::Canceled,
            };
            end(row, status);
        }
        for (whose, number) in SESSIONS {
            self.history.sessions.push(SessionLine {
                id: session(number),
                tenant: tenant(whose),
                epoch: Epoch(self.epochs[&session(number)]),
                status: SessionStatus::Connected,
                since: at(0),
                deleted: false,
            });
        }
        let count = |whose: TenantId, charge| {
            let own = |row: &&MessageLine| row.tenant == whose && row.charge == charge;
            self.history.messages.iter().filter(own).count() as u64
        };
        let months = [1, 2].map(tenant).map(|tenant| UsageLine {
            tenant,
            period: MONTH,
            used: count(tenant, Charge::Charged),
            held: count(tenant, Charge::Held),
        });
        self.history.usage.extend(months);
        books(&mut self.history);
        self.history.as_of = Some(now);
        self.history
    }
}

fn end(row: &mut MessageLine, status: MessageStatus) {
    row.status = status;
    if row.charge == Charge::Held && status != MessageStatus::Unknown {
        row.charge = Charge::Released;
    }
}

fn arrive(row: &mut MessageLine, at: WallTime) {
    row.status = MessageStatus::Sent;
    row.sent_at = Some(at);
    if row.charge != Charge::None {
        row.charge = Charge::Charged;
    }
}

/// The rows that the network saw frames of, with how many.
pub fn seen(history: &History) -> Vec<usize> {
    let seen: HashSet<_> = history.frames.iter().map(|frame| &frame.wa_id).collect();
    let rows = history.messages.iter().enumerate();
    rows.filter(|(_, row)| row.direction == Direction::Out && seen.contains(&row.wa_id))
        .map(|(place, _)| place)
        .collect()
}
