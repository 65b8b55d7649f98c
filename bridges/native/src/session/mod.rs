//! One open of one session: from the vault to `closed`. It never connects twice.

mod commands;
mod hook;
mod verdict;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use columba_bridge_protocol as wire;
use tokio::sync::{mpsc, watch};
use url::Url;
use wacore::iq::keepalive::KeepaliveSpec;
use wacore::types::events::{Event, EventHandler, EventInterest, EventKind};
use wacore::types::presence::ReceiptType;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::client::NodeFilter;
use whatsapp_rust::{Client, TokioRuntime};
use wire::{CloseReason, Command, PasskeyStage, Private, ReceiptKind, SessionKey, SessionState, Stats};

use self::hook::HandOver;
use self::verdict::Verdict;
use crate::killpoint::{self, Point};
use crate::net::{Cord, Dialer, Http, Traffic};
use crate::outbox::Outbox;
use crate::store::Store;
use crate::vault::Vault;
use crate::wire::Wire;
use crate::{LIBRARY, VAULT_FORMAT, address};

/// What an orderly close may take before it is cut short.
const CLOSE: Duration = Duration::from_secs(8);
/// How late the library may tell of a pairing that ended its socket.
const LATE: Duration = Duration::from_secs(1);
/// The request that proves a login.
const PROOF: Duration = Duration::from_secs(10);
/// The version that a test server hears; it takes any.
const TEST_VERSION: (u32, u32, u32) = (2, 3000, 1_023_223_821);

/// How an open is to be done.
pub struct Opening {
    /// What all traffic goes through.
    pub proxy: Option<Url>,
    /// A server instead of WhatsApp's.
    pub endpoint: Option<String>,
}

/// One open of one session.
pub struct Session {
    key: SessionKey,
    outbox: Arc<Outbox>,
    vault: Arc<Vault>,
    traffic: Arc<Traffic>,
    cord: Arc<Cord>,
    client: OnceLock<Arc<Client>>,
    state: AtomicU8,
    /// Messages whose ack is awaited: the library resends by itself when a peer asks, and those acks are none of ours.
    unacked: Mutex<HashSet<String>>,
    wish: watch::Sender<Wish>,
    over: watch::Sender<bool>,
}

/// What the supervisor wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Stay,
    Close,
    LogOut,
}

const STATES: [SessionState; 4] =
    [SessionState::Connecting, SessionState::Pairing, SessionState::Connected, SessionState::Closing];

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Session {
    /// Not begun yet.
    pub fn new(key: SessionKey, wire: &Arc<Wire>, window: u32) -> Arc<Self> {
        Arc::new(Self {
            outbox: Arc::new(Outbox::new(key.clone(), Arc::clone(wire), window)),
            vault: Vault::new(key.clone(), Arc::clone(wire)),
            key,
            traffic: Arc::default(),
            cord: Arc::default(),
            client: OnceLock::new(),
            state: AtomicU8::new(0),
            unacked: Mutex::default(),
            wish: watch::Sender::new(Wish::Stay),
            over: watch::Sender::new(false),
        })
    }

    /// As which owner.
    pub fn epoch(&self) -> i64 {
        self.key.epoch
    }

    /// How it stands.
    pub fn state(&self) -> SessionState {
        STATES[usize::from(self.state.load(Ordering::Relaxed)) % STATES.len()]
    }

    fn stands(&self, state: SessionState) {
        let at = STATES.iter().position(|known| *known == state).unwrap_or(0);
        self.state.store(at as u8, Ordering::Relaxed);
    }

    fn is_pairing(&self) -> bool {
        self.state() == SessionState::Pairing
    }

    fn client(&self) -> Option<Arc<Client>> {
        self.client.get().cloned()
    }

    /// These events are safe.
    pub fn confirm(&self, seqs: &[u64]) {
        self.outbox.confirm(seqs);
    }

    /// Ends it in good order and waits for that. The first of several is the one that counts.
    pub async fn close(&self, log_out: bool) {
        self.wish.send_if_modified(|wish| {
            let first = *wish == Wish::Stay;
            if first {
                *wish = if log_out { Wish::LogOut } else { Wish::Close };
            }
            first
        });
        self.ended().await;
    }

    /// After a panic: nothing of the library is left, and nothing more is written.
    pub async fn give_up(&self) {
        self.cord.cut();
        self.outbox.end(Verdict::of(CloseReason::Unknown).event()).await;
        self.over.send_replace(true);
    }

    /// Resolves when it has let go of everything.
    pub async fn ended(&self) {
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    fn expect_ack(&self, wa_id: &str) {
        self.unacked.lock().unwrap_or_else(PoisonError::into_inner).insert(wa_id.to_owned());
    }

    fn forget_ack(&self, wa_id: &str) -> bool {
        self.unacked.lock().unwrap_or_else(PoisonError::into_inner).remove(wa_id)
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        let mut note = |name: &str, count: u64| stats.counters.insert(name.to_owned(), count);
        note("frames_out", self.traffic.sent.load(Ordering::Relaxed));
        note("frames_in", self.traffic.received.load(Ordering::Relaxed));
        note("bytes_out", self.traffic.bytes_sent.load(Ordering::Relaxed));
        note("bytes_in", self.traffic.bytes_received.load(Ordering::Relaxed));
        note("vault_calls", self.vault.calls());
        note("unconfirmed", self.outbox.unconfirmed() as u64);
        stats
    }

    /// From the vault to `closed`. `after`: the same session's older epoch, which has to be gone first.
    pub async fn run(self: Arc<Self>, opening: Opening, after: Option<Arc<Self>>) {
        if let Some(older) = after {
            older.close(false).await;
        }
        let verdict = match self.begin(opening).await {
            Ok((link, events)) => self.live(link, events).await,
            Err(verdict) => verdict,
        };
        self.stands(SessionState::Closing);
        self.cord.cut();
        self.outbox.end(verdict.event()).await;
        self.over.send_replace(true);
    }

    /// Reads the state and starts the library on it.
    async fn begin(&self, opening: Opening) -> Result<(Link, mpsc::UnboundedReceiver<Arc<Event>>), Verdict> {
        let lost = |_| Verdict::of(self.vault.doom().unwrap_or(CloseReason::VaultLost));
        let header = self.vault.open().await.map_err(lost)?;
        if let Some(writer) = &header.writer
            && !is_readable(writer, header.clean)
        {
            eprintln!(
                "the vault was written by {} {}, which is not readable here",
                writer.engine, writer.version
            );
            return Err(Verdict::of(CloseReason::VaultLost));
        }
        let store = Store::open(Arc::clone(&self.vault)).await.map_err(lost)?;
        let is_test = opening.endpoint.is_some();
        let is_proxied = opening.proxy.is_some();
        let http =
            Http::new(opening.proxy.as_ref(), is_test).map_err(|_| Verdict::of(CloseReason::ProxyFailed))?;
        let dialer = Dialer {
            endpoint: opening.endpoint,
            proxy: opening.proxy,
            outbox: Arc::clone(&self.outbox),
            vault: Arc::clone(&self.vault),
            traffic: Arc::clone(&self.traffic),
            cord: Arc::clone(&self.cord),
        };
        let (told, events) = mpsc::unbounded_channel();
        let mut builder = Bot::builder()
            .with_backend(store)
            .with_transport_factory(dialer)
            .with_http_client(http)
            .with_runtime(TokioRuntime)
            .with_event_handler(Ear(told))
            .with_inbound_durability_hook(HandOver { outbox: Arc::clone(&self.outbox) })
            .skip_history_sync();
        if is_test {
            builder = builder.with_version(TEST_VERSION);
        }
        let bot = builder.build().await.map_err(|_| lost(crate::vault::Lost))?;
        let client = bot.client();
        // The supervisor owns reconnects. Before the first connect, so that there is no second.
        client.enable_auto_reconnect.store(false, Ordering::Relaxed);
        let stream_error = client.wait_for_node(NodeFilter::tag("stream:error"));
        let _ = self.client.set(Arc::clone(&client));
        Ok((Link { client, stream_error, bot: bot.spawn(), is_proxied }, events))
    }

    /// Until the library's loop ends, somebody wants it closed, or its vault is lost.
    async fn live(self: &Arc<Self>, link: Link, mut events: mpsc::UnboundedReceiver<Arc<Event>>) -> Verdict {
        let Link { client, mut stream_error, mut bot, is_proxied } = link;
        let mut first: Option<Verdict> = None;
        let mut paired = false;
        let ended = loop {
            tokio::select! {
                biased;
                reason = self.vault.doomed() => break Ended::Lost(reason),
                wish = self.wished() => break Ended::Wanted(wish),
                node = &mut stream_error => {
                    if let Ok(node) = node {
                        first = first.or(Verdict::of_stream_error(node.get()));
                    }
                    stream_error = client.wait_for_node(NodeFilter::tag("stream:error"));
                }
                Some(event) = events.recv() => {
                    first = first.or(Verdict::of_event(&event, now_ms()));
                    paired |= matches!(&*event, Event::PairSuccess(_));
                    self.hear(&client, &event).await;
                    if matches!(&*event, Event::PairingQrCodesExhausted(_)) {
                        break Ended::ByItself;
                    }
                }
                () = &mut bot => break Ended::ByItself,
            }
        };
        self.stands(SessionState::Closing);
        // Nobody waits for a confirmation any more; what was not confirmed comes again.
        self.outbox.close();
        let verdict = match ended {
            Ended::Lost(reason) => {
                bot.abort();
                return Verdict::of(reason);
            }
            Ended::Wanted(wish) => {
                let _ = tokio::time::timeout(CLOSE, async {
                    match wish {
                        Wish::LogOut => client.logout().await,
                        Wish::Stay | Wish::Close => client.disconnect().await,
                    }
                })
                .await;
                Verdict::of(CloseReason::Requested)
            }
            Ended::ByItself => {
                // What the library said last may still be on its way to us.
                while let Ok(event) = events.try_recv() {
                    first = first.or(Verdict::of_event(&event, now_ms()));
                    paired |= matches!(&*event, Event::PairSuccess(_));
                    self.hear(&client, &event).await;
                }
                if let Ok(Some(node)) = stream_error.try_recv() {
                    first = first.or(Verdict::of_stream_error(node.get()));
                }
                // The library tells of its events in tasks of their own: that of a pairing may come after its end.
                let restarts = first.as_ref().is_some_and(|verdict| verdict.code == Some(515));
                while restarts && !paired {
                    let Ok(Some(event)) = tokio::time::timeout(LATE, events.recv()).await else { break };
                    paired = matches!(&*event, Event::PairSuccess(_));
                    self.hear(&client, &event).await;
                }
                let _ = tokio::time::timeout(CLOSE, client.disconnect()).await;
                first.unwrap_or_else(|| self.unnamed(paired, is_proxied))
            }
        };
        bot.abort();
        match self.vault.close().await {
            Ok(()) => verdict,
            Err(_) => Verdict::of(self.vault.doom().unwrap_or(CloseReason::VaultLost)),
        }
    }

    /// Resolves when the supervisor wants it gone.
    async fn wished(&self) -> Wish {
        let mut wishes = self.wish.subscribe();
        let wish = wishes.wait_for(|wish| *wish != Wish::Stay).await;
        wish.map_or(Wish::Close, |wish| *wish)
    }

    /// An end that nobody gave a reason for.
    fn unnamed(&self, paired: bool, is_proxied: bool) -> Verdict {
        // After a pairing the server asks for a fresh socket, and the library's loop ends for it.
        if paired {
            return Verdict { code: Some(515), ..Verdict::of(CloseReason::RestartRequired) };
        }
        // The library tells nobody why a connect failed.
        if is_proxied && !self.traffic.was_let_through() {
            return Verdict::of(CloseReason::ProxyFailed);
        }
        let refused = self.traffic.was_refused();
        Verdict::of(if refused { CloseReason::Untrusted } else { CloseReason::TransportLost })
    }

    async fn hear(self: &Arc<Self>, client: &Arc<Client>, event: &Event) {
        match event {
            Event::PairingQrCode(code) => {
                self.stands(SessionState::Pairing);
                let expires_in_ms = code.timeout.as_millis() as u32;
                let code = Private(code.code.clone());
                self.outbox.report(wire::Event::PairingCode { code, expires_in_ms }).await;
            }
            Event::PairSuccess(success) => {
                // The library saves what was paired when it finds the time; nobody hears of it before it is on disk.
                killpoint::hit(Point::PairedBefore);
                if client.persistence_manager().flush().await.is_ok() {
                    killpoint::hit(Point::PairedAfter);
                    let phone = success.id.is_pn().then(|| address::of(&success.id, None));
                    self.outbox.report(wire::Event::Paired { phone }).await;
                }
            }
            Event::Connected(_) => self.prove(client),
            Event::OfflineSyncCompleted(_) => self.outbox.report(wire::Event::OfflineSynced).await,
            Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => self.acked(client, ack).await,
            Event::Receipt(receipt) if !receipt.source.is_from_me => {
                let kind = match receipt.r#type {
                    // A receiver that is not looking says `inactive`: it has the message all the same.
                    ReceiptType::Delivered | ReceiptType::Inactive => ReceiptKind::Delivered,
                    ReceiptType::Read => ReceiptKind::Read,
                    ReceiptType::Played => ReceiptKind::Played,
                    _ => return,
                };
                for wa_id in &receipt.message_ids {
                    let wa_id = wa_id.to_string();
                    self.outbox.report(wire::Event::Receipt { wa_id, kind }).await;
                }
            }
            Event::UndecryptableMessage(message) => {
                let wa_id = message.info.id.to_string();
                self.outbox.report(wire::Event::Undecryptable { wa_id }).await;
            }
            Event::PairPasskeyRequest(request) => {
                let data = Some(request.request_options_json.clone().into_bytes().into());
                self.outbox.report(wire::Event::Passkey { stage: PasskeyStage::Request, data }).await;
            }
            Event::PairPasskeyConfirmation(confirmation) => {
                let data = Some(confirmation.code.clone().into_bytes().into());
                self.outbox.report(wire::Event::Passkey { stage: PasskeyStage::Confirmation, data }).await;
            }
            Event::PairPasskeyError(_) => {
                self.outbox.report(wire::Event::Passkey { stage: PasskeyStage::Error, data: None }).await;
            }
            _ => {}
        }
    }

    /// "Connected" is said once a request got its response.
    fn prove(self: &Arc<Self>, client: &Arc<Client>) {
        let (me, client) = (Arc::clone(self), Arc::clone(client));
        tokio::spawn(async move {
            if client.execute(KeepaliveSpec::with_timeout(PROOF)).await.is_ok() {
                me.stands(SessionState::Connected);
                me.outbox.report(wire::Event::Connected).await;
            }
        });
    }

    async fn acked(self: &Arc<Self>, client: &Arc<Client>, ack: &wacore::types::events::ServerAck) {
        if !self.forget_ack(&ack.id) {
            return;
        }
        // A refusal whose number cannot be read is a refusal.
        let error = ack.error.as_deref().map(|code| code.parse().unwrap_or(400));
        let wa_id = ack.id.clone();
        if error == Some(463) {
            let (me, client) = (Arc::clone(self), Arc::clone(client));
            tokio::spawn(async move {
                let until_ms = lock_end(&client).await;
                me.outbox.report(wire::Event::Ack { wa_id, error, until_ms }).await;
                let kind = wire::RestrictionKind::ReachOut;
                me.outbox.report(wire::Event::Restricted { kind, until_ms }).await;
            });
            return;
        }
        self.outbox.report(wire::Event::Ack { wa_id, error, until_ms: None }).await;
    }
}

/// When a lock on new chats ends, if WhatsApp says so.
async fn lock_end(client: &Client) -> Option<i64> {
    let mex = client.mex();
    let lock =
        tokio::time::timeout(Duration::from_secs(5), mex.fetch_reachout_timelock()).await.ok()?.ok()?;
    let secs: i64 = lock.time_enforcement_ends.as_deref()?.parse().ok()?;
    Some(secs.saturating_mul(1_000))
}

/// Whether what this one wrote can be used here.
fn is_readable(writer: &wire::Writer, clean: bool) -> bool {
    let version = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    let is_newer = version(&writer.version) > version(LIBRARY);
    writer.engine == "native" && writer.format <= VAULT_FORMAT && (clean || !is_newer)
}

enum Ended {
    Lost(CloseReason),
    Wanted(Wish),
    ByItself,
}

struct Link {
    client: Arc<Client>,
    stream_error: futures_channel::oneshot::Receiver<Arc<wacore_binary::OwnedNodeRef>>,
    bot: BotHandle,
    is_proxied: bool,
}

/// Passes on what the library says. What grows here is bounded by the socket, which the window holds back.
struct Ear(mpsc::UnboundedSender<Arc<Event>>);

impl EventHandler for Ear {
    fn handle_event(&self, event: Arc<Event>) {
        let _ = self.0.send(event);
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::Connected,
            EventKind::PairSuccess,
            EventKind::PairingQrCode,
            EventKind::PairingQrCodesExhausted,
            EventKind::OfflineSyncCompleted,
            EventKind::ServerAck,
            EventKind::Receipt,
            EventKind::UndecryptableMessage,
            EventKind::LoggedOut,
            EventKind::StreamReplaced,
            EventKind::TemporaryBan,
            EventKind::ClientOutdated,
            EventKind::ConnectFailure,
            EventKind::PairPasskeyRequest,
            EventKind::PairPasskeyConfirmation,
            EventKind::PairPasskeyError,
        ])
    }
}

/// Whether a command is answered by a session as it stands, without the library.
pub fn is_close(command: &Command) -> bool {
    matches!(command, Command::Close | Command::LogOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_of_another_engine_or_a_later_form_is_left_alone() {
        let writer = |engine: &str, version: &str, format| wire::Writer {
            engine: engine.to_owned(),
            version: version.to_owned(),
            format,
        };
        for (writer, clean, readable) in [
            (writer("native", LIBRARY, VAULT_FORMAT), false, true),
            (writer("native", "0.6.0", VAULT_FORMAT), false, true),
            (writer("native", "0.10.0", VAULT_FORMAT), false, false),
            (writer("native", "0.10.0", VAULT_FORMAT), true, true),
            (writer("native", LIBRARY, VAULT_FORMAT + 1), true, false),
            (writer("baileys", LIBRARY, VAULT_FORMAT), true, false),
        ] {
            assert_eq!(is_readable(&writer, clean), readable, "{writer:?}, clean {clean}");
        }
    }
}
