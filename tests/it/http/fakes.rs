//! Ports that keep just enough to answer the HTTP face. What it never asks panics.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use columba::domain::audit::Actor;
use columba::domain::chat::Chat;
use columba::domain::event::StatusEvent;
use columba::domain::id::{KeyId, MessageId, OperatorId, SessionId, TenantId};
use columba::domain::idempotency::Idempotency;
use columba::domain::media::Handle;
use columba::domain::message::{Draft, Letter, Message, WaId};
use columba::domain::operator::OperatorAccount;
use columba::domain::page::{Page, Slice};
use columba::domain::person::Person;
use columba::domain::phone::Phone;
use columba::domain::plan::{Caps, Plan};
use columba::domain::refusal::Refusal;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Desired, Epoch, Lease, Session, Spell, Standing};
use columba::domain::tenant::{ApiKey, Minted, Tenant};
use columba::domain::time::{BootId, Moment, Period, Reading, WallTime};
use columba::ports::abilities::Abilities;
use columba::ports::clock::Clock;
use columba::ports::directory::{Directory, OperatorPatch, Snapshot, TenantPatch};
use columba::ports::feed::FeedLog;
use columba::ports::installation::{
    BackupError, BackupView, EngineView, Installation, SettingView, StoreView,
};
use columba::ports::log_level::LogLevel;
use columba::ports::messages::{LogFilter, LogPage, MessageFilter, Messages, Queue, UsageDay};
use columba::ports::outbox::{
    Acceptance, Claim, Claimed, Inbound, Memory, Outbox, Pending, Position, Receipt, Recovered, Referred,
    Settlement, Stored, Usage,
};
use columba::ports::questions::{Answer, Question};
use columba::ports::sandbox::{Frame, Sandbox, SandboxError, SandboxFault};
use columba::ports::sessions::{Census, FleetFilter, FleetKey, FleetPage, Sessions, StatusChange};
use columba::ports::signals::Signals;
use columba::ports::store::{Created, StoreError, WriteError};
use columba::ports::supervisor::{PairingView, Supervisor, SupervisorError, Trouble};
use columba::ports::transport::{FetchError, PairingCode};
use tokio::sync::{Notify, Semaphore};

pub const NOW: WallTime = WallTime(1_795_000_000_000);

/// Everything the ports keep, and a note of what they were asked.
#[derive(Default)]
pub struct Inner {
    pub snapshot: Snapshot,
    pub sessions: BTreeMap<SessionId, Session>,
    pub messages: BTreeMap<MessageId, Message>,
    pub keys: Vec<ApiKey>,
    /// Idempotency keys seen by accept.
    seen: HashMap<String, ([u8; 32], MessageId)>,
    /// What accept says to a new draft.
    pub accept_refusal: Option<Refusal>,
    /// What every read of messages says.
    pub store_error: Option<StoreError>,
    /// Set to have the next read of a message panic.
    pub panic_next: bool,
    pub pairing: Option<PairingView>,
    /// What the session's engine has said that it cannot send; none: it has said nothing.
    pub cannot_send: Option<&'static str>,
    /// What was sealed last.
    pub proxy: Option<Vec<u8>>,
    pub codes: HashMap<String, SessionId>,
    pub frames: Vec<Frame>,
    /// What the installation runs sessions with.
    pub engines: Vec<EngineView>,
    /// The file that the network has, if a session is connected to it.
    pub at_the_network: Option<Vec<u8>>,
    /// What happened, in order.
    pub notes: Vec<String>,
    now: u64,
}

/// All the ports.
pub struct Fakes {
    inner: Mutex<Inner>,
    /// Rung when an accept begins.
    pub accepting: Notify,
    /// An accept takes a permit before it goes on.
    pub turns: Semaphore,
}

impl Fakes {
    pub fn new() -> Arc<Self> {
        let (inner, accepting) = (Mutex::default(), Notify::new());
        Arc::new(Self { inner, accepting, turns: Semaphore::new(Semaphore::MAX_PERMITS) })
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn advance(&self, millis: u64) {
        self.inner().now += millis;
    }

    pub fn wall_now(&self) -> WallTime {
        Clock::wall(self)
    }

    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().notes)
    }

    fn note(&self, what: impl Into<String>) {
        self.inner().notes.push(what.into());
    }
}

impl Clock for Fakes {
    fn now(&self) -> Moment {
        Moment(self.inner().now)
    }

    fn wall(&self) -> WallTime {
        WallTime(NOW.0 + self.inner().now as i64)
    }

    fn boot(&self) -> BootId {
        BootId(1)
    }
}

impl Signals for Fakes {
    fn wake(&self, session: SessionId) {
        self.note(format!("wake {session}"));
    }

    fn wake_tenant(&self, tenant: TenantId) {
        self.note(format!("wake {tenant}"));
    }
}

impl Abilities for Fakes {
    fn sends(&self, _: SessionId, draft: &Draft) -> Option<bool> {
        let cannot = self.inner().cannot_send?;
        Some(draft.content.kind() != cannot)
    }
}

#[async_trait]
impl Directory for Fakes {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.inner().snapshot.clone())
    }

    fn signed(self: Arc<Self>, _: Actor) -> Arc<dyn Directory> {
        self
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn create_tenant(
        &self,
        tenant: Tenant,
        _: Option<Idempotency>,
    ) -> Result<Created<Tenant>, WriteError> {
        self.inner().snapshot.tenants.insert(tenant.id, tenant.clone());
        Ok(Created::New(tenant))
    }

    async fn patch_tenant(
        &self,
        id: TenantId,
        patch: TenantPatch,
        _: WallTime,
    ) -> Result<Tenant, WriteError> {
        let mut inner = self.inner();
        let tenant = inner.snapshot.tenants.get_mut(&id).ok_or_else(Refusal::not_found)?;
        tenant.name = patch.name.unwrap_or_else(|| tenant.name.clone());
        tenant.plan = patch.plan.unwrap_or_else(|| tenant.plan.clone());
        tenant.status = patch.status.unwrap_or(tenant.status);
        Ok(tenant.clone())
    }

    async fn delete_tenant(&self, id: TenantId, _: WallTime) -> Result<(), WriteError> {
        self.note(format!("delete {id}"));
        self.inner().snapshot.tenants.remove(&id).map(|_| ()).ok_or_else(|| Refusal::not_found().into())
    }

    async fn create_plan(
        &self,
        plan: Plan,
        _: Option<Idempotency>,
        _: WallTime,
    ) -> Result<Created<Plan>, WriteError> {
        let mut inner = self.inner();
        if inner.snapshot.plans.contains_key(&plan.code) {
            return Err(Refusal::conflict("a plan with this code exists").into());
        }
        inner.snapshot.plans.insert(plan.code.clone(), plan.clone());
        Ok(Created::New(plan))
    }

    async fn put_plan(&self, plan: Plan, _: WallTime) -> Result<Plan, WriteError> {
        self.inner().snapshot.plans.insert(plan.code.clone(), plan.clone());
        Ok(plan)
    }

    async fn delete_plan(&self, code: &str) -> Result<(), WriteError> {
        let gone = self.inner().snapshot.plans.remove(code);
        gone.map(drop).ok_or_else(|| Refusal::not_found().into())
    }

    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        let mut inner = self.inner();
        if idempotency.is_some() {
            let named = inner.keys.iter().find(|known| known.name == key.name).cloned();
            if let Some(known) = named {
                return Ok(Created::Replayed(known));
            }
        }
        inner.snapshot.keys.insert(key.hash, key.clone());
        inner.keys.push(key.clone());
        Ok(Created::New(key))
    }

    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.inner().keys.iter().rev().filter(|key| key.tenant == tenant).cloned().collect())
    }

    async fn rotate_key(
        &self,
        _: KeyId,
        _: Minted,
        _: Duration,
        _: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        unreachable!("tests of operators stand on the memory store")
    }

    async fn note_use(&self, _: SystemScope, _: Vec<(KeyId, WallTime)>) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn create_operator(
        &self,
        _: OperatorAccount,
        _: Option<Person>,
        _: Option<Idempotency>,
    ) -> Result<Created<OperatorAccount>, WriteError> {
        unreachable!("tests of operators stand on the memory store")
    }

    async fn found(&self, _: OperatorAccount, _: Person) -> Result<(), WriteError> {
        unreachable!("tests of operators stand on the memory store")
    }

    async fn patch_operator(&self, _: OperatorId, _: OperatorPatch) -> Result<OperatorAccount, WriteError> {
        unreachable!("tests of operators stand on the memory store")
    }

    async fn revoke_operator(&self, _: OperatorId, _: WallTime) -> Result<(), WriteError> {
        unreachable!("tests of operators stand on the memory store")
    }

    async fn revoke_key(&self, id: KeyId, _: WallTime) -> Result<(), WriteError> {
        self.inner().snapshot.keys.retain(|_, key| key.id != id);
        Ok(())
    }
}

#[async_trait]
impl Sessions for Fakes {
    async fn create(
        &self,
        _: TenantScope,
        session: Session,
        _: Caps,
        _: Option<Idempotency>,
    ) -> Result<Created<Session>, WriteError> {
        self.inner().sessions.insert(session.id, session.clone());
        Ok(Created::New(session))
    }

    async fn get(&self, scope: TenantScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        let found = self.inner().sessions.get(&id).cloned();
        Ok(found.filter(|session| session.tenant == scope.tenant()))
    }

    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Session>, StoreError> {
        let filter = FleetFilter { tenant: Some(scope.tenant()), ..FleetFilter::default() };
        let beyond = page.before.map(|before| (FleetKey::Id(before), before.into()));
        self.fleet(SystemScope, filter, FleetPage { beyond, ..FleetPage::newest(page.limit) }).await
    }

    async fn spells(
        &self,
        scope: TenantScope,
        id: SessionId,
        _: Option<u64>,
        limit: u32,
    ) -> Result<Option<Slice<Spell>>, StoreError> {
        let session = Sessions::get(self, scope, id).await?;
        Ok(session.map(|session| Slice::within(vec![session.present()], limit)))
    }

    async fn fleet(
        &self,
        _: SystemScope,
        filter: FleetFilter,
        page: FleetPage,
    ) -> Result<Slice<Session>, StoreError> {
        let inner = self.inner();
        let before = page.beyond.map(|(_, id)| id);
        let wanted = |session: &&Session| {
            filter.tenant.is_none_or(|tenant| session.tenant == tenant)
                && filter.status.is_none_or(|status| session.status == status)
                && before.is_none_or(|before| session.id < before)
        };
        let rows = inner.sessions.values().rev().filter(wanted).take(page.limit as usize + 1).cloned();
        Ok(Slice::within(rows.collect(), page.limit))
    }

    async fn activity(
        &self,
        _: SystemScope,
        _: &[SessionId],
    ) -> Result<BTreeMap<SessionId, WallTime>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn census(&self, _: SystemScope) -> Result<Census, StoreError> {
        let mut census = Census::default();
        for session in self.inner().sessions.values() {
            *census.sessions.entry(session.status).or_default() += 1;
        }
        Ok(census)
    }

    async fn count(&self, scope: TenantScope) -> Result<u64, StoreError> {
        let inner = self.inner();
        Ok(inner.sessions.values().filter(|session| session.tenant == scope.tenant()).count() as u64)
    }

    async fn set_desired(
        &self,
        scope: TenantScope,
        id: SessionId,
        desired: Desired,
    ) -> Result<Option<Session>, StoreError> {
        self.note(format!("want {desired}"));
        let mut inner = self.inner();
        let found = inner.sessions.get_mut(&id).filter(|session| session.tenant == scope.tenant());
        Ok(found.map(|session| {
            session.desired = desired;
            session.clone()
        }))
    }

    async fn delete(&self, _: TenantScope, id: SessionId, _: WallTime) -> Result<bool, StoreError> {
        self.note("delete");
        Ok(self.inner().sessions.remove(&id).is_some())
    }

    async fn find(&self, _: SystemScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.inner().sessions.get(&id).cloned())
    }

    async fn set_proxy(
        &self,
        _: SystemScope,
        id: SessionId,
        sealed: Option<Vec<u8>>,
        by: Actor,
    ) -> Result<Option<Session>, StoreError> {
        self.note(format!("proxy by {}", by.name));
        let mut inner = self.inner();
        let is = sealed.is_some();
        inner.proxy = sealed;
        Ok(inner.sessions.get_mut(&id).map(|session| {
            session.proxy = is;
            session.clone()
        }))
    }

    async fn proxy(&self, _: Lease) -> Result<Option<Vec<u8>>, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn restore(&self, _: SystemScope, _: WallTime) -> Result<Vec<Session>, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn announce(&self, _: Lease, _: StatusChange) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn pronounce(&self, _: SystemScope, _: SessionId, _: StatusChange) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn quarantine(
        &self,
        _: SystemScope,
        _: SessionId,
        _: StatusChange,
        _: u32,
    ) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn set_paired(&self, _: Lease, _: bool, _: WallTime) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn remember(&self, _: Lease, _: Standing) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn count_reconnect(&self, _: Lease) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }
}

impl Inner {
    /// The refusals of accept before `session_not_ready`, and the stored answer.
    fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Message>, WriteError> {
        let session = self.sessions.get(&session).filter(|session| session.tenant == tenant);
        let session = session.ok_or_else(Refusal::not_found)?;
        if let Some(idempotency) = idempotency
            && let Some((fingerprint, id)) = self.seen.get(&idempotency.key)
        {
            if *fingerprint != idempotency.fingerprint {
                return Err(Refusal::idempotency_mismatch().into());
            }
            return Ok(self.messages.get(id).cloned());
        }
        if !session.paired {
            return Err(Refusal::session_not_ready().into());
        }
        Ok(None)
    }
}

#[async_trait]
impl Outbox for Fakes {
    async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError> {
        self.accepting.notify_one();
        self.turns.acquire().await.expect("never closed").forget();
        let mut inner = self.inner();
        let Acceptance { tenant, session, id, wa_id, draft, idempotency, at, terms } = acceptance;
        if let Some(stored) = inner.foresee(tenant, session, idempotency.as_ref())? {
            return Ok(Created::Replayed(stored));
        }
        if let Some(refusal) = inner.accept_refusal.clone() {
            return Err(refusal.into());
        }
        inner.notes.push(format!("accept metered={}", terms.metered));
        let message = Message::accepted(id, tenant, session, wa_id, &draft, at);
        inner.messages.insert(id, message.clone());
        if let Some(idempotency) = idempotency {
            inner.seen.insert(idempotency.key, (idempotency.fingerprint, id));
        }
        Ok(Created::New(message))
    }

    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        _: WallTime,
    ) -> Result<Option<Message>, WriteError> {
        self.inner().foresee(tenant, session, idempotency.as_ref())
    }

    async fn recall(&self, _: SessionId, _: Reading) -> Result<Memory, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn pending(&self, _: Lease, _: Position, _: u32) -> Result<Vec<Pending>, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn claim(&self, _: Claim) -> Result<Claimed, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn give_back(&self, _: Lease, _: MessageId, _: u32) -> Result<(), StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn settle(&self, _: Settlement) -> Result<bool, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn receipt(&self, _: Lease, _: Receipt) -> Result<bool, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn recover(&self, _: Lease, _: WallTime) -> Result<Recovered, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn referred(&self, _: Lease, _: MessageId) -> Result<Option<Referred>, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn inbound(&self, _: Lease, _: Inbound) -> Result<Stored, StoreError> {
        unreachable!("not asked by the HTTP face")
    }

    async fn tenant_attempts(&self, _: TenantId, _: Reading) -> Result<Option<Vec<Moment>>, StoreError> {
        unreachable!("not asked by the HTTP face")
    }
}

#[async_trait]
impl Messages for Fakes {
    async fn get(&self, scope: TenantScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        if std::mem::take(&mut self.inner().panic_next) {
            panic!("the test asked for this panic");
        }
        let inner = self.inner();
        if let Some(error) = inner.store_error.clone() {
            return Err(error);
        }
        Ok(inner.messages.get(&id).filter(|message| message.tenant == scope.tenant()).cloned())
    }

    async fn list(
        &self,
        scope: TenantScope,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Slice<Message>, StoreError> {
        let inner = self.inner();
        let wanted = |message: &&Message| {
            message.tenant == scope.tenant()
                && filter.chat.as_ref().is_none_or(|chat| message.chat == *chat)
                && page.before.is_none_or(|before| message.id.uuid() < before)
        };
        let rows = inner.messages.values().rev().filter(wanted).take(page.limit as usize + 1).cloned();
        Ok(Slice::of(rows.collect(), page))
    }

    async fn knows_chat(&self, _: TenantScope, _: SessionId, chat: &Chat) -> Result<bool, StoreError> {
        Ok(chat.is_group())
    }

    async fn cancel(&self, scope: TenantScope, id: MessageId, _: WallTime) -> Result<Message, WriteError> {
        Ok(Messages::get(self, scope, id).await?.ok_or_else(Refusal::not_found)?)
    }

    async fn cancel_all(&self, _: TenantScope, _: SessionId, _: WallTime) -> Result<u64, WriteError> {
        Ok(3)
    }

    async fn usage(&self, _: TenantScope, _: Period) -> Result<Option<Usage>, StoreError> {
        Ok(None)
    }

    async fn days(
        &self,
        _: TenantScope,
        _: Period,
        _: Option<(WallTime, SessionId)>,
        _: u32,
    ) -> Result<Vec<UsageDay>, StoreError> {
        Ok(vec![])
    }

    async fn find(&self, _: SystemScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.inner().messages.get(&id).cloned())
    }

    async fn log(&self, _: SystemScope, _: LogFilter, _: Page) -> Result<LogPage, StoreError> {
        unreachable!("tests of the log stand on a store")
    }

    async fn queue(&self, _: TenantScope, _: SessionId, _: WallTime) -> Result<Queue, StoreError> {
        Ok(Queue::default())
    }

    async fn attempts_of(
        &self,
        _: TenantScope,
        _: SessionId,
        _: WallTime,
        _: u32,
    ) -> Result<Vec<WallTime>, StoreError> {
        Ok(vec![])
    }

    async fn attempts_since(&self, _: TenantScope, _: WallTime) -> Result<Vec<(SessionId, u64)>, StoreError> {
        Ok(self.inner().sessions.keys().take(1).map(|&id| (id, 7)).collect())
    }
}

#[async_trait]
impl Sandbox for Fakes {
    async fn find_code(&self, code: &str) -> Result<Option<SessionId>, SandboxError> {
        Ok(self.inner().codes.get(code).copied())
    }

    async fn scan(&self, code: &str) -> Result<SessionId, SandboxError> {
        self.note("scan");
        self.inner().codes.remove(code).ok_or(SandboxError::NoSuchCode)
    }

    async fn write(&self, session: SessionId, _: Letter) -> Result<WaId, SandboxError> {
        let paired = self.inner().sessions[&session].paired;
        if paired { Ok(WaId::mint(NOW, 1)) } else { Err(SandboxError::NotPaired) }
    }

    async fn fault(&self, _: SessionId, fault: SandboxFault) -> Result<(), SandboxError> {
        self.note(format!("fault {fault}"));
        Ok(())
    }

    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError> {
        let inner = self.inner();
        let wanted = |frame: &&Frame| frame.session == session && frame.seq > after;
        Ok(inner.frames.iter().filter(wanted).take(limit as usize).cloned().collect())
    }
}

#[async_trait]
impl Supervisor for Fakes {
    async fn heed(&self, session: &Session) -> Result<(), SupervisorError> {
        self.note(format!("heed {}", session.desired));
        Ok(())
    }

    async fn restart(&self, _: &Session) -> Result<(), SupervisorError> {
        self.note("restart");
        Ok(())
    }

    async fn remove(&self, _: &Session) -> Result<(), SupervisorError> {
        self.note("remove");
        Ok(())
    }

    async fn forget_tenant(&self, _: TenantId) -> Result<(), SupervisorError> {
        self.note("forget_tenant");
        Ok(())
    }

    async fn pairing(&self, _: SessionId) -> Result<Option<PairingView>, SupervisorError> {
        Ok(self.inner().pairing.clone())
    }

    async fn pairing_code(&self, _: &Session, _: Phone) -> Result<PairingCode, SupervisorError> {
        Ok(PairingCode { code: "ABCD-EFGH".into(), expires_at: NOW })
    }

    async fn ask(&self, _: SessionId, question: Question) -> Result<Answer, SupervisorError> {
        self.note(format!("ask {question:?}"));
        Err(SupervisorError::Unsupported)
    }

    async fn fetch_media(&self, _: &Session, _: Handle, _: u64) -> Result<File, SupervisorError> {
        self.note("fetch_media");
        let bytes = self.inner().at_the_network.clone().ok_or(FetchError::NoLink)?;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        Ok(file)
    }

    async fn play(&self, _: SessionId, trouble: Trouble) -> Result<(), SupervisorError> {
        self.note(format!("play {trouble:?}"));
        Ok(())
    }
}

#[async_trait]
impl FeedLog for Fakes {
    fn epoch(&self) -> &str {
        "fake-epoch"
    }

    async fn tail(&self, _: SystemScope, _: u32) -> Result<Vec<StatusEvent>, StoreError> {
        Ok(vec![])
    }

    async fn heads(&self, _: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError> {
        Ok(vec![])
    }

    async fn range(&self, _: TenantScope, _: u64, _: u64) -> Result<Vec<StatusEvent>, StoreError> {
        Ok(vec![])
    }
}

/// A frame of a session.
pub fn frame(seq: u64, session: SessionId) -> Frame {
    let to = Chat::stored("+15551230001".into());
    Frame { seq, at: NOW, session, wa_id: WaId::mint(NOW, seq as u32), to, epoch: Epoch(1) }
}

impl LogLevel for Fakes {
    fn get(&self) -> String {
        "info".to_owned()
    }

    fn set(&self, level: &str) -> Result<(), String> {
        self.note(format!("log {level}"));
        if level.contains(' ') { Err("no spaces".to_owned()) } else { Ok(()) }
    }
}

#[async_trait]
impl Installation for Fakes {
    fn started_at(&self) -> WallTime {
        NOW
    }

    fn settings(&self) -> Vec<SettingView> {
        let (key, source) = ("http.listen".to_owned(), "default".to_owned());
        vec![SettingView { key, value: "127.0.0.1:8080".into(), source }]
    }

    fn engines(&self) -> Vec<EngineView> {
        self.inner().engines.clone()
    }

    async fn store(&self) -> Result<StoreView, String> {
        Err("there is none".to_owned())
    }

    async fn back_up(&self) -> Result<BackupView, BackupError> {
        self.note("back up");
        Err(BackupError::Busy)
    }

    async fn backups(&self) -> Result<Vec<BackupView>, BackupError> {
        Ok(vec![])
    }
}
