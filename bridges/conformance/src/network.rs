//! What a bridge has to carry between two sessions on a testbed: every kind of content that it says it can.

use std::time::Duration;

use columba_bridge_protocol as wire;
use serde_json::{Value, json};
use wire::{
    Attachment, Capability, Card, CloseReason, Command, Content, Down, ErrorCode, Event, Inbound, MediaKind,
    MessageRef, PollOption, Private, Quote, ReceiptKind, Reply, ReplyOutcome, SessionKey,
};

use crate::Tally;
use crate::peer::{Bridge, Outcome, Target};

const ALICE: &str = "+15551230101";
const BOB: &str = "+15551230102";
const NOBODY: &str = "+15551230199";
/// Any one thing may take so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two sessions that are logged in, on one bridge or on two.
struct Net {
    bridge: Bridge,
    /// Bob's, if it is another one.
    other: Option<Bridge>,
    admin: Admin,
    alice: SessionKey,
    bob: SessionKey,
    last: u32,
}

struct Admin {
    base: String,
    http: reqwest::Client,
}

impl Admin {
    async fn post(&self, path: &str, body: Value) -> Outcome<Value> {
        let answer = self.http.post(format!("{}{path}", self.base)).json(&body).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// Runs all of it, with Bob on the `other` bridge if there is one. What comes first is needed by what follows.
pub async fn run(target: &Target, other: Option<&Target>, admin: &str, tally: &mut Tally) {
    let admin = Admin { base: admin.trim_end_matches('/').to_owned(), http: reqwest::Client::new() };
    let mut net = match Net::start(target, other, admin).await {
        Ok(net) => {
            tally.note("two sessions pair and log in", Ok(()));
            net
        }
        Err(why) => return tally.note("two sessions pair and log in", Err(why)),
    };
    let can = |capability| net.can(capability);
    let contents: Vec<(&str, Capability, Content)> = contents();
    let able: Vec<_> = contents.into_iter().filter(|(_, capability, _)| can(*capability)).collect();
    let (media, groups, check, marks, reply) = (
        can(Capability::Media),
        can(Capability::Groups),
        can(Capability::CheckNumber),
        can(Capability::MarkRead),
        can(Capability::Reply),
    );
    for (name, _, content) in able {
        let outcome = net.carry(&content).await;
        tally.note(&format!("carries {name}"), outcome);
    }
    tally.note("carries what refers to a message: reaction, edit, revoke", net.refers().await);
    if reply {
        tally.note("carries an answer with what it quotes", net.quotes().await);
    }
    if media {
        tally.note("carries files, and fetches them", net.files().await);
        tally.note("keeps to names in the media folder", net.names().await);
    }
    if check {
        tally.note("knows which numbers have accounts", net.checks().await);
    }
    if marks {
        tally.note("marks messages as read", net.marks().await);
    }
    if groups {
        tally.note("lists groups and writes to them", net.groups().await);
    }
    tally.note("a refusal is an ack with its number", net.refusal().await);
    tally.note("a log-out unlinks the device", net.log_out().await);
}

/// One of each kind that stands by itself.
fn contents() -> Vec<(&'static str, Capability, Content)> {
    let poll = |selectable| Content::Poll {
        question: "When?".into(),
        options: vec![PollOption { name: "Monday".into() }, PollOption { name: "Tuesday".into() }],
        selectable,
    };
    let card = |name: &str| Card {
        name: name.into(),
        vcard: format!("BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nEND:VCARD").into(),
    };
    vec![
        ("a text", Capability::Text, Content::Text { body: "hello".into() }),
        (
            "a text of many scripts",
            Capability::Text,
            Content::Text { body: "Grüße, 你好, 👋🏽\n\u{202e}x".into() },
        ),
        ("a poll with one choice", Capability::Poll, poll(1)),
        ("a poll with several", Capability::Poll, poll(2)),
        (
            "a location",
            Capability::Location,
            Content::Location {
                latitude: 52.52,
                longitude: 13.405,
                name: Some("Office".into()),
                address: Some("Main Street 1".into()),
            },
        ),
        ("a contact", Capability::Contacts, Content::Contacts { cards: vec![card("Ada")] }),
        ("contacts", Capability::Contacts, Content::Contacts { cards: vec![card("Ada"), card("Grace")] }),
    ]
}

fn require(fact: bool, what: impl Into<String>) -> Outcome {
    if fact { Ok(()) } else { Err(what.into()) }
}

impl Net {
    async fn start(target: &Target, other: Option<&Target>, admin: Admin) -> Outcome<Self> {
        let mut bridge = target.welcome().await?;
        let mut other = match other {
            Some(other) => Some(other.welcome().await?),
            None => None,
        };
        for (session, phone) in [("ses_alice", ALICE), ("ses_bob", BOB)] {
            admin.post("/admin/accounts", json!({ "phone": phone, "name": session })).await?;
        }
        let alice = pair(&mut bridge, &admin, "ses_alice", ALICE).await?;
        let bob = pair(other.as_mut().unwrap_or(&mut bridge), &admin, "ses_bob", BOB).await?;
        Ok(Self { bridge, other, admin, alice, bob, last: 0 })
    }

    /// Whether both ends can.
    fn can(&self, capability: Capability) -> bool {
        let has = |bridge: &Bridge| bridge.hello.capabilities.contains(&capability);
        has(&self.bridge) && self.other.as_ref().is_none_or(has)
    }

    /// The bridge a session is on.
    fn of(&mut self, key: &SessionKey) -> &mut Bridge {
        match &mut self.other {
            Some(other) if *key == self.bob => other,
            _ => &mut self.bridge,
        }
    }

    fn fresh_id(&mut self) -> String {
        self.last += 1;
        format!("3EB0C0FFEE{:014X}", self.last)
    }

    /// Alice sends to Bob, WhatsApp acks, and Bob has it under the same id.
    async fn send(&mut self, to: &str, content: &Content, quote: Option<Quote>) -> Outcome<Inbound> {
        let wa_id = self.fresh_id();
        let command = Command::Send {
            to: to.into(),
            wa_id: wa_id.clone(),
            content: Box::new(content.clone()),
            quote: quote.map(Box::new),
        };
        let alice = self.alice.clone();
        match self.of(&alice).ask(Some(&alice), command).await? {
            ReplyOutcome::Ok(Reply::Sent) => {}
            other => return Err(format!("sent was due, not {other:?}")),
        }
        let error = self.ack(&wa_id).await?;
        require(error.is_none(), format!("it was refused with {error:?}"))?;
        self.inbound(&wa_id).await
    }

    async fn ack(&mut self, wa_id: &str) -> Outcome<Option<u16>> {
        let alice = self.alice.clone();
        self.find_event(&alice, "the ack", |event| match event {
            Event::Ack { wa_id: of, error, .. } if of == wa_id => Some(*error),
            _ => None,
        })
        .await
    }

    async fn inbound(&mut self, wa_id: &str) -> Outcome<Inbound> {
        let bob = self.bob.clone();
        self.find_event(&bob, "the message", |event| match event {
            Event::Inbound(inbound) if inbound.wa_id == wa_id => Some((**inbound).clone()),
            _ => None,
        })
        .await
    }

    /// The first event that is wanted, confirmed; the others wait, confirmed or not.
    async fn find_event<T>(
        &mut self,
        key: &SessionKey,
        what: &str,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> Outcome<T> {
        let of_session = |frame: &wire::Up| match frame {
            wire::Up::Event { session, seq, event } if session == key => Some((*seq, wanted(event)?)),
            _ => None,
        };
        let bridge = self.of(key);
        let (seq, found) = bridge.find(what, PATIENCE, of_session).await?;
        bridge.say(&Down::Confirm { session: key.clone(), seq: vec![seq] }).await?;
        Ok(found)
    }

    async fn carry(&mut self, content: &Content) -> Outcome {
        let inbound = self.send(BOB, content, None).await?;
        require(inbound.from.as_str() == ALICE, "it names another sender")?;
        require(inbound.chat.as_str() == ALICE, "it names another chat")?;
        require(!inbound.from_me && inbound.quote.is_none(), "it is not as it was sent")?;
        require(inbound.content == *content, "what came is not what was sent")
    }

    async fn refers(&mut self) -> Outcome {
        let first = self.send(BOB, &Content::Text { body: "hello".into() }, None).await?;
        let target = MessageRef { wa_id: first.wa_id.clone(), from_me: true, author: None };
        let has = |capability| self.can(capability);
        let mut all = vec![];
        if has(Capability::Reaction) {
            all.push(Content::Reaction { target: target.clone(), emoji: "👍".into() });
            all.push(Content::Reaction { target: target.clone(), emoji: "".into() });
        }
        if has(Capability::Edit) {
            all.push(Content::Edit { target: target.clone(), body: "hello, corrected".into() });
        }
        if has(Capability::Revoke) {
            all.push(Content::Revoke { target: target.clone() });
        }
        for content in all {
            let inbound = self.send(BOB, &content, None).await?;
            // Of Bob's it is not.
            let seen = match inbound.content {
                Content::Reaction { target, .. }
                | Content::Edit { target, .. }
                | Content::Revoke { target } => target,
                other => return Err(format!("another kind came: {other:?}")),
            };
            require(seen.wa_id == first.wa_id, "it refers to another message")?;
            require(!seen.from_me, "it says that the receiver wrote the message")?;
        }
        Ok(())
    }

    async fn quotes(&mut self) -> Outcome {
        let first = self.send(BOB, &Content::Text { body: "a question".into() }, None).await?;
        let message = MessageRef { wa_id: first.wa_id.clone(), from_me: true, author: None };
        let quote = Quote { message, body: "a question".into() };
        let answer = self.send(BOB, &Content::Text { body: "an answer".into() }, Some(quote)).await?;
        let seen = answer.quote.ok_or("nothing is quoted")?;
        require(seen.wa_id == first.wa_id && !seen.from_me, "it quotes another message")
    }

    async fn files(&mut self) -> Outcome {
        let bytes: Vec<u8> = (0..300_007_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        for (media, mime) in [
            (MediaKind::Image, "image/jpeg"),
            (MediaKind::Video, "video/mp4"),
            (MediaKind::Voice, "audio/ogg; codecs=opus"),
            (MediaKind::Document, "application/pdf"),
            (MediaKind::Sticker, "image/webp"),
        ] {
            let name = format!("out_{}", self.fresh_id());
            std::fs::write(self.bridge.media().join(&name), &bytes).map_err(|error| error.to_string())?;
            let file = Attachment {
                name: Some(name),
                handle: None,
                mime: mime.to_owned(),
                size: bytes.len() as u64,
                file_name: (media == MediaKind::Document).then(|| "invoice.pdf".into()),
                seconds: None,
            };
            let has_caption = matches!(media, MediaKind::Image | MediaKind::Video | MediaKind::Document);
            let caption = has_caption.then(|| Private::from("look"));
            let sent = Content::Media { media, file: file.clone(), caption: caption.clone() };
            let inbound = self.send(BOB, &sent, None).await?;
            let Content::Media { media: kind, file: came, caption: line } = inbound.content else {
                return Err(format!("{media:?}: another kind came"));
            };
            require(kind == media && line == caption, format!("{media:?}: it is not as it was sent"))?;
            require(came.mime == mime && came.size == file.size, format!("{media:?}: another file came"))?;
            require(came.file_name == file.file_name, format!("{media:?}: it is called something else"))?;
            let handle = came.handle.ok_or("no handle")?;
            let into = format!("in_{}", self.fresh_id());
            let bob = self.bob.clone();
            let fetch =
                |max_bytes| Command::FetchMedia { handle: handle.clone(), name: into.clone(), max_bytes };
            match self.of(&bob).ask(Some(&bob), fetch(1000)).await? {
                ReplyOutcome::Error(failure) if failure.code == ErrorCode::TooLarge => {}
                other => return Err(format!("{media:?}: a bound that does not hold: {other:?}")),
            }
            match self.of(&bob).ask(Some(&bob), fetch(1 << 20)).await? {
                ReplyOutcome::Ok(Reply::Media { size }) if size == bytes.len() as u64 => {}
                other => return Err(format!("{media:?}: fetched with {other:?}")),
            }
            let got = std::fs::read(self.of(&bob).media().join(&into)).map_err(|error| error.to_string())?;
            require(got == bytes, format!("{media:?}: other bytes came"))?;
        }
        let mut left = vec![];
        for bridge in std::iter::once(&self.bridge).chain(&self.other) {
            let entries = std::fs::read_dir(bridge.media()).map_err(|error| error.to_string())?;
            left.extend(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()));
        }
        left.retain(|name| !name.starts_with("in_") && !name.starts_with("out_"));
        require(left.is_empty(), format!("{left:?} was left in the folder"))
    }

    async fn names(&mut self) -> Outcome {
        let alice = self.alice.clone();
        for name in ["../secret", "/etc/passwd", "", ".", "a b", "a\u{0}"] {
            let file = Attachment {
                name: Some(name.to_owned()),
                handle: None,
                mime: "text/plain".to_owned(),
                size: 1,
                file_name: None,
                seconds: None,
            };
            let content = Content::Media { media: MediaKind::Document, file, caption: None };
            let command = Command::Send {
                to: BOB.into(),
                wa_id: self.fresh_id(),
                content: Box::new(content),
                quote: None,
            };
            match self.of(&alice).ask(Some(&alice), command).await? {
                ReplyOutcome::Error(failure) if failure.code == ErrorCode::Invalid => {}
                other => return Err(format!("{name:?} was taken: {other:?}")),
            }
        }
        Ok(())
    }

    async fn checks(&mut self) -> Outcome {
        let alice = self.alice.clone();
        let phones = vec![Private::from(BOB), Private::from(NOBODY)];
        match self.of(&alice).ask(Some(&alice), Command::CheckNumber { phones }).await? {
            ReplyOutcome::Ok(Reply::Numbers { numbers }) => {
                let exist: Vec<_> = numbers.iter().map(|number| number.exists).collect();
                require(exist == [true, false], format!("it says {exist:?}"))
            }
            other => Err(format!("numbers were due, not {other:?}")),
        }
    }

    async fn marks(&mut self) -> Outcome {
        let first = self.send(BOB, &Content::Text { body: "read me".into() }, None).await?;
        let messages = vec![MessageRef { wa_id: first.wa_id.clone(), from_me: false, author: None }];
        let (alice, bob) = (self.alice.clone(), self.bob.clone());
        match self.of(&bob).ask(Some(&bob), Command::MarkRead { chat: ALICE.into(), messages }).await? {
            ReplyOutcome::Ok(Reply::Done) => {}
            other => return Err(format!("done was due, not {other:?}")),
        }
        self.find_event(&alice, "the read receipt", |event| match event {
            Event::Receipt { wa_id, kind: ReceiptKind::Read } if *wa_id == first.wa_id => Some(()),
            _ => None,
        })
        .await
    }

    async fn groups(&mut self) -> Outcome {
        let group = json!({ "subject": "Pigeons", "phones": [ALICE, BOB] });
        let made = self.admin.post("/admin/groups", group).await?;
        let id = made["id"].as_str().ok_or("a group")?.to_owned();
        let alice = self.alice.clone();
        match self.of(&alice).ask(Some(&alice), Command::Groups).await? {
            ReplyOutcome::Ok(Reply::Groups { groups }) => {
                let found = groups.iter().find(|group| group.id.as_str() == id).ok_or("it is not listed")?;
                require(
                    found.subject.as_str() == "Pigeons" && found.participants == 2,
                    "it is not as it was made",
                )?;
            }
            other => return Err(format!("groups were due, not {other:?}")),
        }
        let inbound = self.send(&id, &Content::Text { body: "hello, all".into() }, None).await?;
        require(inbound.chat.as_str() == id, "it names another chat")?;
        require(inbound.from.as_str() == ALICE, "it names another sender")
    }

    async fn refusal(&mut self) -> Outcome {
        let nack = json!({ "phone": ALICE, "times": 1, "kind": "nack", "code": 479 });
        self.admin.post("/admin/failures", nack).await?;
        let wa_id = self.fresh_id();
        let content = Box::new(Content::Text { body: "refuse me".into() });
        let command = Command::Send { to: BOB.into(), wa_id: wa_id.clone(), content, quote: None };
        let alice = self.alice.clone();
        match self.of(&alice).ask(Some(&alice), command).await? {
            ReplyOutcome::Ok(Reply::Sent) => {}
            other => return Err(format!("sent was due, not {other:?}")),
        }
        let error = self.ack(&wa_id).await?;
        require(error == Some(479), format!("the ack has {error:?}"))
    }

    async fn log_out(&mut self) -> Outcome {
        let bob = self.bob.clone();
        match self.of(&bob).ask(Some(&bob), Command::LogOut).await? {
            ReplyOutcome::Ok(Reply::Done) => {}
            other => return Err(format!("done was due, not {other:?}")),
        }
        self.find_event(&bob, "the close", |event| match event {
            Event::Closed { reason: CloseReason::Requested, .. } => Some(()),
            _ => None,
        })
        .await
    }
}

/// Shows a code, has it scanned, and logs in.
async fn pair(bridge: &mut Bridge, admin: &Admin, session: &str, phone: &str) -> Outcome<SessionKey> {
    let key = SessionKey { session: session.to_owned(), epoch: 1 };
    opened(&bridge.open(&key).await?)?;
    let (seq, event) = bridge.event(&key, PATIENCE).await?;
    let Event::PairingCode { code, .. } = event else { return Err(format!("a code was due, not {event:?}")) };
    bridge.say(&Down::Confirm { session: key.clone(), seq: vec![seq] }).await?;
    admin.post("/admin/scan", json!({ "phone": phone, "qr": code.as_str() })).await?;
    let (mut paired, mut last) = (false, seq);
    loop {
        let (seq, event) = bridge.event(&key, PATIENCE).await?;
        require(seq == last + 1, "a gap in the numbers")?;
        last = seq;
        bridge.say(&Down::Confirm { session: key.clone(), seq: vec![seq] }).await?;
        match event {
            Event::Paired { .. } => {
                let device = bridge.vaults.get(session).is_some_and(|vault| !vault.records.is_empty());
                require(device, "it says paired before anything is in the vault")?;
                paired = true;
            }
            Event::Closed { reason, .. } => {
                require(paired && reason == CloseReason::RestartRequired, format!("closed with {reason:?}"))?;
                break;
            }
            _ => {}
        }
    }
    let key = SessionKey { session: session.to_owned(), epoch: 2 };
    opened(&bridge.open(&key).await?)?;
    let (mut connected, mut synced) = (false, false);
    while !(connected && synced) {
        let (seq, event) = bridge.event(&key, PATIENCE).await?;
        bridge.say(&Down::Confirm { session: key.clone(), seq: vec![seq] }).await?;
        match event {
            Event::Connected => connected = true,
            Event::OfflineSynced => synced = true,
            Event::Closed { reason, .. } => return Err(format!("closed with {reason:?}")),
            _ => {}
        }
    }
    Ok(key)
}

fn opened(outcome: &ReplyOutcome) -> Outcome {
    match outcome {
        ReplyOutcome::Ok(Reply::Done) => Ok(()),
        other => Err(format!("done was due, not {other:?}")),
    }
}
