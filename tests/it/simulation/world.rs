//! The world: sessions under their supervisor, a store, a network, clients; and what can happen next.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono_tz::Tz;
use columba::actors::registry::table::Table;
use columba::actors::session::deadlines::TimerEpoch;
use columba::actors::session::machine::{Input, Machine, State};
use columba::billing::rules;
use columba::domain::event::StatusEvent;
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::plan::{Interval, Pacing, Plan, Quota, SuspendedInbound};
use columba::domain::scope::TenantScope;
use columba::domain::session::{
    Desired, Engine, Generation, Lease, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::domain::time::Moment;
use columba::history::record::{AcceptedLine, CapLine};
use columba::ports::Stores;
use columba::ports::clock::Clock as _;
use columba::ports::feed::FeedSink;
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::memory;
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::clock::SimClock;
use super::dice::Dice;
use super::jobs::Job;
use super::network::Network;
use super::store::MoodyOutbox;

/// One session, with or without an actor.
pub struct Slot {
    pub id: SessionId,
    pub tenant: TenantId,
    pub alive: Option<Incarnation>,
    /// Incarnations that the supervisor has given up: their thread was stuck, and comes to itself or has.
    pub ghosts: Vec<Incarnation>,
    /// The credential in its vault, and the newest owner that opened it.
    pub token: Option<u64>,
    pub vault_epoch: i64,
}

/// What an actor holds.
pub struct Incarnation {
    pub generation: Generation,
    pub machine: Machine,
    pub lease: Option<Lease>,
    pub timer: Option<(TimerEpoch, Moment)>,
    pub last_timer: TimerEpoch,
    pub link: Option<u64>,
    /// An event of the link is being dealt with: the next one waits.
    pub hearing: bool,
    pub mail: VecDeque<Input>,
    /// Its thread is stuck until then, in true time.
    pub stuck_until: u64,
}

/// What a client asked for and what it was told.
pub struct Asked {
    pub message: MessageId,
    pub session: SessionId,
    pub metered: bool,
    pub key: Option<String>,
    pub request: columba::ports::outbox::Acceptance,
}

pub struct World {
    pub dice: Dice,
    pub clock: Arc<SimClock>,
    pub stores: Stores,
    pub outbox: Arc<MoodyOutbox>,
    pub windows: MemoryWindows,
    pub network: Network,
    pub table: Table,
    pub slots: Vec<Slot>,
    pub tenants: [TenantId; 2],
    pub jobs: Vec<Job>,
    pub last_job: u64,
    /// Delays of the supervisor that end then, in true time.
    pub dues: Vec<(u64, usize, Generation)>,
    /// Exits the supervisor has not heard of.
    pub downs: Vec<(usize, Generation)>,
    pub asked: Vec<Asked>,
    pub accepted: Vec<AcceptedLine>,
    pub caps: Vec<CapLine>,
    pub next_message: u128,
    /// Incarnations that were asked to stop and are given up then, if they have not ended.
    pub limits: Vec<(u64, usize, Generation)>,
    /// A ghost acts in the place of the living.
    pub haunted: bool,
    pub rounds: u64,
    pub round_at: u64,
    pub kills: u64,
    /// Told step by step, for a replay.
    pub tells: bool,
}

/// Nobody listens.
struct Deaf;

impl FeedSink for Deaf {
    fn publish(&self, _: Vec<StatusEvent>) {}
}

pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory store answers at once")
}

/// Told only when replayed: most seeds are silent.
macro_rules! tell {
    ($world:expr, $($word:tt)*) => {
        if $world.tells {
            println!("{:>9} {}", $world.clock.truth(), format!($($word)*));
        }
    };
}
pub(super) use tell;

pub fn plan(code: &str, per_minute: u64, sum: Option<u64>, pacing: Pacing) -> Plan {
    let number = |of: u64| NonZeroU32::new(of as u32).unwrap();
    Plan {
        code: code.to_owned(),
        name: code.to_owned(),
        price_minor: 0,
        currency: "EUR".to_owned(),
        interval: Interval::Month,
        messages_per_minute: number(per_minute),
        messages_per_minute_tenant: sum.map(number),
        messages_per_month: 1_000,
        quota: Quota::Hard,
        queue_max: 40,
        sessions_max: 5,
        webhooks_max: 8,
        seats_max: None,
        pacing,
        first_contacts_per_day: None,
        media_bytes_max: 1024 * 1024,
        media_bytes_total: 4 * 1024 * 1024,
        overage_minor: None,
        overage_tiers: vec![],
        trial_days: 0,
        suspended_inbound: SuspendedInbound::Park,
        retention_days: 30,
        plugins: vec![],
    }
}

/// The one place that builds a session's row.
fn session_row(id: SessionId, tenant: TenantId, clock: &SimClock) -> Session {
    let at = clock.wall();
    Session {
        id,
        tenant,
        label: "sim".to_owned(),
        engine: Engine::Sandbox,
        metadata: serde_json::Map::new(),
        desired: Desired::Running,
        status: SessionStatus::Stopped,
        reason: None,
        reason_code: None,
        since: at,
        paired: false,
        standing: Standing::default(),
        proxy: false,
        supervision: Supervision::default(),
        counters: SessionCounters::default(),
        created_at: at,
    }
}

impl World {
    /// Two tenants, the first with two sessions and, in half of the worlds, a sum over them.
    pub fn new(seed: u64, tells: bool) -> Self {
        let (mut dice, clock) = (Dice::new(seed), Arc::new(SimClock::default()));
        let stores = memory::open(clock.clone(), rules(Tz::UTC), Arc::new(Deaf));
        let outbox = Arc::new(MoodyOutbox::new(Arc::clone(&stores.outbox)));
        let windows = MemoryWindows::new(outbox.clone());
        let tenants = [1, 2].map(|number| TenantId::from(Uuid::from_u128(number)));
        let mut world = Self {
            clock,
            stores,
            outbox,
            windows,
            network: Network::default(),
            table: Table::default(),
            slots: vec![],
            tenants,
            jobs: vec![],
            last_job: 0,
            dues: vec![],
            downs: vec![],
            asked: vec![],
            accepted: vec![],
            caps: vec![],
            next_message: 1,
            limits: vec![],
            haunted: false,
            rounds: 0,
            round_at: 1_000,
            kills: 0,
            tells,
            dice: Dice::new(0),
        };
        for (number, tenant) in tenants.into_iter().enumerate() {
            let plan = world.draw_plan(number, &mut dice);
            now(world.stores.directory.create_plan(plan.clone(), None, world.clock.wall())).unwrap();
            world.caps.push(cap_line(tenant, &plan, &world.clock));
            let row = Tenant {
                id: tenant,
                name: "sim".to_owned(),
                plan: plan.code,
                status: TenantStatus::Active,
                standing: TenantStanding::Active,
                created_at: world.clock.wall(),
            };
            now(world.stores.directory.create_tenant(row, None)).unwrap();
        }
        for (number, tenant) in [(1, tenants[0]), (2, tenants[0]), (3, tenants[1])] {
            let id = SessionId::from(Uuid::from_u128(0x100 + number));
            let caps = world.stores.directory.snapshot().caps_of(tenant).unwrap();
            let (scope, row) = (TenantScope::authenticated(tenant), session_row(id, tenant, &world.clock));
            now(world.stores.sessions.create(scope, row, caps, None)).unwrap();
            world.slots.push(Slot { id, tenant, alive: None, ghosts: vec![], token: None, vault_epoch: 0 });
        }
        world.dice = dice;
        (0..3).for_each(|slot| world.start(slot));
        world
    }

    /// A plan of the first or second tenant.
    pub fn draw_plan(&self, number: usize, dice: &mut Dice) -> Plan {
        let pacing = if dice.chance(25) { Pacing::Human } else { Pacing::None };
        let sum = (number == 0 && dice.chance(60)).then(|| 1 + dice.below(10));
        plan(["one", "two"][number], 1 + dice.below(8), sum, pacing)
    }

    pub fn place(&self, id: SessionId) -> usize {
        self.slots.iter().position(|slot| slot.id == id).expect("a session of ours")
    }

    pub fn lease(&self, slot: usize) -> Option<Lease> {
        self.slots[slot].alive.as_ref()?.lease
    }

    /// Whether this incarnation's thread is stuck.
    pub fn is_stuck(&self, slot: usize, generation: Generation) -> bool {
        let slot = &self.slots[slot];
        let all = slot.alive.iter().chain(&slot.ghosts);
        all.into_iter().any(|one| one.generation == generation && one.stuck_until > self.clock.truth())
    }

    /// Whether this incarnation still lives.
    pub fn lives(&self, slot: usize, generation: Generation) -> bool {
        self.slots[slot].alive.as_ref().is_some_and(|alive| alive.generation == generation)
    }

    pub fn state(&self, slot: usize) -> Option<State> {
        self.slots[slot].alive.as_ref().map(|alive| alive.machine.state())
    }
}

/// What a tenant may do from now on.
pub fn cap_line(tenant: TenantId, plan: &Plan, clock: &SimClock) -> CapLine {
    CapLine {
        tenant,
        from: clock.true_wall(),
        per_minute: plan.messages_per_minute.get(),
        per_minute_tenant: plan.messages_per_minute_tenant.map(Into::into),
    }
}
