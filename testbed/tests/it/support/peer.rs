//! An unmodified whatsapp-rust client. Its reconnects are its own unless a test takes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use wacore::types::events::{ChannelEventHandler, Event};
use whatsapp_rust::bot::Bot;
use whatsapp_rust::prelude::{BotHandle, Client, Jid, SendOptions};
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::waproto::whatsapp as wa;

use super::Bed;

/// What a client keeps between its lives.
pub type Store = Arc<wacore::store::InMemoryBackend>;

/// A client that runs.
pub struct Peer {
    pub client: Arc<Client>,
    pub phone: u64,
    pub store: Store,
    events: async_channel::Receiver<Arc<Event>>,
    handle: BotHandle,
}

impl Peer {
    /// Starts a client on a store; it shows QR codes if the store is empty.
    pub async fn start(bed: &Bed, phone: u64, store: Store) -> Self {
        Self::at(bed.url(), phone, store).await
    }

    /// Starts a client on a store, that connects to this address.
    pub async fn at(url: String, phone: u64, store: Store) -> Self {
        let bot = Bot::builder()
            .with_backend_arc(store.clone())
            .with_transport_factory(TokioWebSocketTransportFactory::new().with_url(url))
            .with_http_client(Loopback(reqwest::Client::new()))
            .with_runtime(whatsapp_rust::TokioRuntime)
            .with_version((2, 3000, 0))
            .with_push_name(format!("peer {phone}"))
            .skip_history_sync()
            .build()
            .await
            .expect("a client");
        let client = bot.client();
        let (handler, events) = ChannelEventHandler::new();
        client.subscribe_handler(handler).detach();
        Self { client, phone, store, events, handle: bot.spawn() }
    }

    /// A client linked to the account by QR and logged in.
    pub async fn linked(bed: &Bed, phone: u64) -> Self {
        let peer = Self::start(bed, phone, Store::default()).await;
        let code = peer.qr().await;
        bed.post("scan", json!({ "phone": phone, "qr": code })).await;
        peer.connected().await;
        peer
    }

    /// The first QR code it shows.
    pub async fn qr(&self) -> String {
        let event = self.until("a QR code", 20, |event| matches!(event, Event::PairingQrCode(_))).await;
        let Event::PairingQrCode(code) = &*event else { unreachable!("it was just matched") };
        code.code.clone()
    }

    /// Waits until it has logged in and is ready.
    pub async fn connected(&self) {
        self.client.wait_for_connected(Duration::from_secs(30)).await.expect("a login");
    }

    /// Waits for an event.
    pub async fn until(&self, what: &str, seconds: u64, fits: impl Fn(&Event) -> bool) -> Arc<Event> {
        let mut seen = Vec::new();
        let wanted = async {
            loop {
                let event = self.events.recv().await.expect("the client lives");
                if fits(&event) {
                    return event;
                }
                seen.push(format!("{event:?}"));
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(seconds), wanted).await;
        found.unwrap_or_else(|_| panic!("{} never saw {what}, but {seen:?}", self.phone))
    }

    /// Whether an event comes within a while.
    pub async fn sees(&self, millis: u64, fits: impl Fn(&Event) -> bool) -> bool {
        let wanted = async {
            loop {
                if fits(&self.events.recv().await.expect("the client lives")) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_millis(millis), wanted).await.is_ok()
    }

    /// The messages of which the server's good acks have come and were not waited for; other events are forgotten.
    pub fn acks_so_far(&self) -> Vec<String> {
        let mut ids = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::ServerAck(ack) = &*event
                && ack.class.as_deref() == Some("message")
                && ack.error.is_none()
            {
                ids.push(ack.id.clone());
            }
        }
        ids
    }

    /// Forgets the events that have come so far.
    pub fn forget(&self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Sends a text to a number, under an id.
    pub async fn text(&self, to: u64, text: &str, id: &str) {
        let to: Jid = format!("{to}@s.whatsapp.net").parse().expect("a jid");
        self.send(&to, wa::Message { conversation: Some(text.into()), ..Default::default() }, id).await;
    }

    /// Sends a message to a chat, under an id.
    pub async fn send(&self, to: &Jid, message: wa::Message, id: &str) {
        let options = SendOptions::default().with_message_id(id);
        let sent = self.client.send_message_with_options(to, message, options).await.expect("sent");
        assert_eq!(sent.message_id, id);
    }

    /// The next message: its id and the text.
    pub async fn message(&self) -> (String, String) {
        self.messages().await.swap_remove(0)
    }

    /// The next messages, of which one event may have many: their ids and texts.
    pub async fn messages(&self) -> Vec<(String, String)> {
        let event =
            self.until("a message", 20, |e| e.messages().any(|m| text_of(&m.message).is_some())).await;
        event.messages().filter_map(|m| Some((m.info.id.clone(), text_of(&m.message)?))).collect()
    }

    /// Waits for the server's ack of a message, and answers its error.
    pub async fn ack(&self, id: &str) -> Option<String> {
        let fits = |e: &Event| matches!(e, Event::ServerAck(ack) if ack.id == id);
        let event = self.until("the ack", 20, fits).await;
        let Event::ServerAck(ack) = &*event else { unreachable!("it was just matched") };
        ack.error.as_ref().map(ToString::to_string)
    }

    /// Waits for a receipt of a message.
    pub async fn receipt(&self, id: &str) {
        let fits = |e: &Event| matches!(e, Event::Receipt(r) if r.message_ids.iter().any(|m| *m == id));
        self.until("a receipt", 20, fits).await;
    }

    /// Whether the client would reconnect by itself.
    pub fn reconnects(&self) -> bool {
        self.client.enable_auto_reconnect.load(Ordering::Relaxed)
    }

    /// Ends the client and gives its store back.
    pub async fn end(self) -> Store {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.handle.shutdown()).await;
        self.store
    }
}

fn text_of(message: &wa::Message) -> Option<String> {
    message.conversation.clone().or_else(|| message.extended_text_message.as_option()?.text.clone())
}

/// The media host speaks plain HTTP: whatever is asked of a loopback address by https is asked by http.
struct Loopback(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for Loopback {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let url = request.url.replacen("https://127.0.0.1", "http://127.0.0.1", 1);
        let method = request.method.parse()?;
        let mut call = self.0.request(method, url).body(request.body.unwrap_or_default());
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        let answer = call.send().await?;
        let status_code = answer.status().as_u16();
        Ok(HttpResponse { status_code, body: answer.bytes().await?.to_vec() })
    }
}
