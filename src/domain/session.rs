//! One connected number of one tenant: what is wanted of it, how it stands, and why.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::id::{SessionId, TenantId};
use super::time::WallTime;
use super::word::words;

/// A session that shows codes to nobody parks after this long.
pub const PAIRING_LIMIT: Duration = Duration::from_secs(180);

words! {
    /// Which library or service speaks to the network.
    #[derive(Default)]
    pub enum Engine {
        /// The simulated network that ships with the server.
        #[default]
        Sandbox,
        /// WhatsApp by a pinned whatsapp-rust, in processes of its own.
        Native,
        /// WhatsApp by a pinned Baileys, in processes of its own. Experimental.
        Baileys,
    }
}

impl Engine {
    /// What whoever links a number has to be told; nothing where nobody real is reached.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Sandbox => None,
            Self::Native | Self::Baileys => Some(
                "This is an unofficial client: it breaches WhatsApp's terms, the number can be restricted or banned at any time, \
                 and no setting prevents that. For business-critical traffic use Meta's official Cloud API. Columba is not \
                 affiliated with Meta or WhatsApp. Whoever operates it answers for consent and data protection.",
            ),
        }
    }
}

/// Whose session it is and what speaks for it: what a supervisor has to know to build its actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whose.
    pub tenant: TenantId,
    /// What speaks for it.
    pub engine: Engine,
}

/// One incarnation of a session actor in this process. A restart is a new one; what an older one reports is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

impl Generation {
    /// The incarnation after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Counts a session's owners over all processes. Stores refuse a call from an older one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// The right to act for a session, taken anew by every incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Whose session.
    pub tenant: TenantId,
    /// Which session.
    pub session: SessionId,
    /// As which owner.
    pub epoch: Epoch,
}

/// What the tenant wants of a session. Written before anything is done about it, so it survives every crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Desired {
    /// To run, from every boot on.
    Running,
    /// To rest; its credentials stay.
    Stopped,
    /// To give up its credentials, then rest.
    LoggedOut,
}

words! {
    /// Public status of a session.
    pub enum SessionStatus {
        /// Nothing is open and nothing is wanted.
        Stopped,
        /// Takes over from earlier owners, then opens the first link.
        Starting,
        /// A person has to scan a code or type one.
        Pairing,
        /// Logged in, and the health probe passes.
        Connected,
        /// Between two links.
        Reconnecting,
        /// Waits for a person or for the end of a ban; nothing is open.
        Parked,
        /// The credentials are void; a person has to pair again.
        LoggedOut,
        /// Crashed too often; rests before a probe or until a person starts it.
        Quarantined,
    }
}

impl SessionStatus {
    /// Whether it stays true when nobody speaks for the session, as after a death of the process.
    pub fn outlives_a_boot(self) -> bool {
        matches!(self, Self::Stopped | Self::Parked | Self::LoggedOut | Self::Quarantined)
    }
}

/// Why a link closed. The reason alone decides what happens next (DESIGN, section 3).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, strum::EnumDiscriminants,
)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[strum_discriminants(
    name(CloseCause),
    derive(EnumIter, Display, EnumString, IntoStaticStr, Hash),
    strum(serialize_all = "snake_case"),
    doc = "A [`CloseReason`] without its value."
)]
pub enum CloseReason {
    /// 515: the server wants a fresh socket, as it does once after pairing.
    RestartRequired,
    /// The socket or the keepalive was lost.
    TransportLost,
    /// The session's proxy did not answer or did not let it through; it never connects past it.
    ProxyFailed,
    /// 500 or 503: the server cannot serve now.
    ServerUnavailable,
    /// What came could not be read.
    Malformed,
    /// The health probe missed twice.
    ProbeFailed,
    /// 429: we connect too often.
    Throttled,
    /// 409, or `replaced`: somebody else opened this account.
    Replaced,
    /// 402: no connect may be tried before `until`.
    Banned {
        /// End of the ban.
        until: WallTime,
    },
    /// 405: this client version is no longer served.
    ClientOutdated,
    /// A code we do not know.
    Unknown {
        /// What the server said.
        code: u16,
    },
    /// 401, 403, 406, 516 or device removed: these credentials are never used again.
    LoggedOut {
        /// What the server said.
        code: u16,
    },
}

words! {
    /// Why a session has its status, in one closed list. The `reason` of the API, as snake case.
    #[expect(missing_docs, reason = "each is documented at the close or decision that causes it")]
    pub enum Reason {
        RestartRequired,
        TransportLost,
        ProxyFailed,
        ServerUnavailable,
        Malformed,
        ProbeFailed,
        Throttled,
        Replaced,
        Banned,
        ClientOutdated,
        Unknown,
        DeviceRemoved,
        /// Nobody scanned in time.
        PairingTimeout,
        /// While pairing: WhatsApp asks for the account's passkey, which only its owner has.
        PasskeyRequested,
        /// While pairing: the phone's owner has a code to compare.
        PasskeyConfirm,
        /// While pairing: the passkey was not accepted.
        PasskeyFailed,
        /// The tenant asked for it.
        Requested,
        /// The operator suspended the tenant.
        TenantSuspended,
        /// The actor ended unexpectedly and comes back.
        Crashed,
        /// It did so too often.
        CrashLoop,
        /// The store does not answer.
        StoreUnavailable,
    }
}

impl CloseReason {
    /// The public word for it.
    pub fn reason(self) -> Reason {
        match self {
            Self::RestartRequired => Reason::RestartRequired,
            Self::TransportLost => Reason::TransportLost,
            Self::ProxyFailed => Reason::ProxyFailed,
            Self::ServerUnavailable => Reason::ServerUnavailable,
            Self::Malformed => Reason::Malformed,
            Self::ProbeFailed => Reason::ProbeFailed,
            Self::Throttled => Reason::Throttled,
            Self::Replaced => Reason::Replaced,
            Self::Banned { .. } => Reason::Banned,
            Self::ClientOutdated => Reason::ClientOutdated,
            Self::Unknown { .. } => Reason::Unknown,
            Self::LoggedOut { .. } => Reason::DeviceRemoved,
        }
    }

    /// The server's number for it, where there is one.
    pub fn code(self) -> Option<u16> {
        match self {
            Self::Unknown { code } | Self::LoggedOut { code } => Some(code),
            other => other.reason().code(),
        }
    }
}

impl Reason {
    /// The number by which the server gives this reason, where there is exactly one.
    pub fn code(self) -> Option<u16> {
        match self {
            Self::RestartRequired => Some(515),
            Self::ServerUnavailable => Some(503),
            Self::Throttled => Some(429),
            Self::Replaced => Some(409),
            Self::Banned => Some(402),
            Self::ClientOutdated => Some(405),
            _ => None,
        }
    }
}

/// What the network holds against an account. It outlives incarnations, so it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Links lost in a row; forgiven once one has held.
    pub failures: u32,
    /// The back-off that follows from them. One that has passed means nothing any more.
    pub retry: Option<Retry>,
    /// Extra back-off steps earned by 429s.
    pub throttle_steps: u32,
    /// End of the ban, if there was one.
    pub banned_until: Option<WallTime>,
    /// Until then messages to chats that never wrote to us wait (463, the reach-out timelock).
    pub timelock_until: Option<WallTime>,
    /// Until then messages to chats that never wrote to us wait: the account has begun as many as it may.
    pub new_chats_until: Option<WallTime>,
    /// When somebody else last replaced us.
    pub replaced_at: Option<WallTime>,
}

/// A link that is to be opened again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Not before.
    pub at: WallTime,
    /// Why the last one ended.
    pub reason: Reason,
}

/// What the supervisor remembers of a session over deaths of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Supervision {
    /// Since when its newest owner has been starting; none once it stood in any other way. Written with the owner's
    /// epoch, before its first link: what a session does to the process while it starts is done after that.
    pub starting_at: Option<WallTime>,
    /// Deaths of the process in a row that found it starting.
    pub unclean_deaths: u32,
    /// Half-open probes that have failed since it was quarantined.
    pub probes: u32,
}

/// So many deaths of the process that found a session starting, and it boots last and alone.
const SUSPECT: u32 = 2;
/// So many, and it is quarantined.
const POISON: u32 = 3;

impl Supervision {
    /// What a boot makes of it: whoever was starting when the process died may have been the reason.
    pub fn after_death(self) -> Self {
        match self.starting_at {
            Some(_) => Self { starting_at: None, unclean_deaths: self.unclean_deaths + 1, ..self },
            None => self,
        }
    }

    /// Whether it has taken the process down too often to be started again.
    pub fn is_poison(self) -> bool {
        self.unclean_deaths >= POISON
    }

    /// What becomes of it when the session has this status.
    pub fn after(self, status: SessionStatus) -> Self {
        match status {
            SessionStatus::Starting => self,
            _ => Self { starting_at: None, unclean_deaths: 0, ..self },
        }
    }
}

/// What a boot does with a session that is to run or to log out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// It starts in its turn.
    InTurn,
    /// It was starting at two deaths of the process: it starts last, and alone, so that a third names it.
    Alone,
    /// It waits for its half-open probe.
    Probed,
    /// It waits for a person.
    Rests,
}

/// How the account is limited by the network, as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Restriction {
    /// `banned`, `timelock` or `new_chats`.
    pub kind: RestrictionKind,
    /// When it ends.
    pub until: WallTime,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// Everything.
    Banned,
    /// Messages to new chats: a lock (463).
    Timelock,
    /// Messages to new chats: as many were begun as may be.
    NewChats,
}

fn pending(kind: RestrictionKind, until: Option<WallTime>, wall: WallTime) -> Option<Restriction> {
    until.filter(|&until| until > wall).map(|until| Restriction { kind, until })
}

impl Standing {
    /// What keeps messages from new chats at `wall`: whichever ends last.
    pub fn lock(&self, wall: WallTime) -> Option<Restriction> {
        let timelock = pending(RestrictionKind::Timelock, self.timelock_until, wall);
        let new_chats = pending(RestrictionKind::NewChats, self.new_chats_until, wall);
        timelock.into_iter().chain(new_chats).max_by_key(|lock| lock.until)
    }

    /// What of it still limits the account at `wall`.
    pub fn restriction(&self, wall: WallTime) -> Option<Restriction> {
        pending(RestrictionKind::Banned, self.banned_until, wall).or_else(|| self.lock(wall))
    }
}

/// A session as stores keep it and the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub tenant: TenantId,
    /// What its people call it.
    pub label: String,
    /// What speaks for it.
    pub engine: Engine,
    /// Whatever the integrator keeps with it: a flat object of strings, at most 4 KiB.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// What is wanted.
    pub desired: Desired,
    /// How it stands.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<Reason>,
    /// The server's number for the reason.
    pub reason_code: Option<u16>,
    /// Since when.
    pub since: WallTime,
    /// Whether it holds credentials, so that messages may be queued.
    pub paired: bool,
    /// Whether its operator has set a proxy. The address is sealed and never shown.
    pub proxy: bool,
    /// What the network holds against it.
    pub standing: Standing,
    /// What the supervisor remembers of it.
    pub supervision: Supervision,
    /// What has happened on it.
    pub counters: SessionCounters,
    /// When it was created.
    pub created_at: WallTime,
}

impl Session {
    /// Whose it is and what speaks for it.
    pub fn origin(&self) -> Origin {
        Origin { tenant: self.tenant, engine: self.engine }
    }

    /// What a boot does with this session, given that it is to run or to log out.
    pub fn boot(&self) -> Boot {
        let to_log_out = self.desired == Desired::LoggedOut;
        match self.status {
            SessionStatus::Quarantined => Boot::Probed,
            // The credentials are void; what is left is to finish a log-out that was asked for.
            SessionStatus::LoggedOut if !to_log_out => Boot::Rests,
            SessionStatus::Parked if !to_log_out && self.reason != Some(Reason::Banned) => Boot::Rests,
            _ if self.supervision.unclean_deaths >= SUSPECT => Boot::Alone,
            _ => Boot::InTurn,
        }
    }

    /// What its record has to say from a boot on, given that it is to run or to log out and that the death of the process
    /// is counted; none if it says so already.
    pub fn at_boot(&self) -> Option<(SessionStatus, Option<Reason>)> {
        if self.supervision.is_poison() {
            return Some((SessionStatus::Quarantined, Some(Reason::CrashLoop)));
        }
        let waits = !self.status.outlives_a_boot() && self.status != SessionStatus::Starting;
        waits.then_some((SessionStatus::Starting, None))
    }
}

/// What has happened on a session since it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct SessionCounters {
    /// Messages that wait.
    pub queued: u64,
    /// Messages that reached the server.
    pub sent: u64,
    /// Messages that failed for good.
    pub failed: u64,
    /// Messages that came in.
    pub received: u64,
    /// Links opened after the first.
    pub reconnects: u64,
}

/// A time that a session spent in one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    /// Its place in the session's past; higher is later.
    pub place: u64,
    /// The status.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<Reason>,
    /// The server's number for the reason.
    pub code: Option<u16>,
    /// When it began.
    pub since: WallTime,
    /// When it ended; it lasts still if it did not.
    pub until: Option<WallTime>,
}

impl Session {
    /// The spell that its row tells, for one whose past is not kept.
    pub fn present(&self) -> Spell {
        let (status, reason, code) = (self.status, self.reason, self.reason_code);
        Spell { place: 0, status, reason, code, since: self.since, until: None }
    }
}
