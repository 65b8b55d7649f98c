//! The phone of an account, device 0: it holds real Signal keys, reads what it is sent, writes texts, and shares the
//! account's app-state key with its companions, as a phone does.

use buffa::MessageField;
use rand::Rng as _;
use rusqlite::{OptionalExtension, params};
use sha2::{Digest as _, Sha256};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use crate::accounts::{self, Account, rng};
use crate::error::{Error, Result, signal};
use crate::frame_log::{self, Direction, Line};
use crate::keys::{self, Bundle};
use crate::ratchets::Ratchets;
use crate::relay::{self, Letter};
use crate::seal::{self, Opened};
use crate::seat::{Addressing, Person, Seat};
use crate::stanza::{attr, leaf, receipt_ids};
use crate::world::Turn;
use crate::{groups, receipts};

/// What a phone gives away so that others can write to it: each time with a fresh one-time pre-key.
pub(crate) fn bundle(turn: &mut Turn<'_>, phone: u64) -> Result<Bundle> {
    let account = accounts::open(turn.db, phone)?;
    seal::own_bundle(turn.db, &account)
}

/// A message for the phone: it reads it and says so.
pub(crate) fn on_message(turn: &mut Turn<'_>, phone: u64, from: Seat, node: &Node) -> Result<()> {
    let account = accounts::open(turn.db, phone)?;
    let id = attr(node, "id").unwrap_or_default();
    let group = attr(node, "from").filter(|from| from.ends_with("@g.us"));
    match seal::open(turn.db, &account, from, group.as_deref(), node)? {
        Opened::Messages(messages) => {
            for message in &messages {
                take_in(turn, &account, from, &id, group.as_deref(), message)?;
            }
        }
        Opened::Again => log(turn, phone, "again", &id, from, None)?,
        Opened::Unreadable(why) => {
            log(turn, phone, "undecryptable", &id, from, Some(&why))?;
            return ask_again(turn, &account, from, node);
        }
    }
    if from.phone == phone {
        return Ok(());
    }
    let receipt = receipt_to(node, &id).build();
    receipts::relay(turn, Seat::phone(phone), &receipt)
}

fn receipt_to(node: &Node, id: &str) -> NodeBuilder {
    let mut receipt =
        NodeBuilder::new("receipt").attr("id", id).attr("to", attr(node, "from").unwrap_or_default());
    if let Some(participant) = attr(node, "participant") {
        receipt = receipt.attr("participant", participant);
    }
    receipt
}

/// Asks the sender to send a message again, with keys for a new session.
fn ask_again(turn: &mut Turn<'_>, account: &Account, from: Seat, node: &Node) -> Result<()> {
    let phone = account.person.phone;
    let id = attr(node, "id").unwrap_or_default();
    let asked: u32 = turn.db.query_row(
        "SELECT count(*) FROM frame WHERE phone = ? AND dir = 'phone' AND tag = 'undecryptable' AND id = ?",
        params![phone, id],
        |r| r.get(0),
    )?;
    if asked > 5 {
        return Ok(());
    }
    Ratchets::of(account).forget_session(turn.db, from)?;
    let retry = NodeBuilder::new("retry")
        .attr("v", "1")
        .attr("count", asked.to_string())
        .attr("id", id.as_str())
        .attr("t", attr(node, "t").unwrap_or_default())
        .build();
    let keys = seal::own_bundle(turn.db, account)?;
    let registration = leaf("registration", keys.registration.clone());
    let receipt =
        receipt_to(node, &id).attr("type", "retry").children([retry, registration, keys::for_receipt(keys)]);
    receipts::relay(turn, Seat::phone(phone), &receipt.build())
}

/// Acts on what a message says.
fn take_in(
    turn: &mut Turn<'_>,
    account: &Account,
    from: Seat,
    id: &str,
    group: Option<&str>,
    message: &wa::Message,
) -> Result<()> {
    let phone = account.person.phone;
    let (message, sent_to) = match message.device_sent_message.as_option() {
        Some(sent) if from.phone == phone => match sent.message.as_option() {
            Some(inner) => (inner, sent.destination_jid.clone()),
            None => return Ok(()),
        },
        _ => (message, None),
    };
    if let Some(protocol) = message.protocol_message.as_option()
        && protocol.app_state_sync_key_request.as_option().is_some()
        && from.phone == phone
    {
        return share_app_key(turn, account, from);
    }
    let Some(text) = describe(message) else { return Ok(()) };
    let peer = match (group, sent_to) {
        (Some(group), _) => group.to_owned(),
        (None, Some(jid)) => name_of(turn, &jid)?,
        (None, None) => from.phone.to_string(),
    };
    log(turn, phone, "text", id, from, Some(&hex::encode(Sha256::digest(text.as_bytes()))))?;
    let from_me = from.phone == phone;
    let known: bool = turn.db.query_row(
        "SELECT EXISTS (SELECT 1 FROM chat WHERE phone = ? AND id = ? AND author = ?)",
        params![phone, id, from.phone.to_string()],
        |r| r.get(0),
    )?;
    if known {
        return Ok(());
    }
    write_down(turn, phone, &peer, from.phone, id, from_me, &text)
}

fn write_down(
    turn: &Turn<'_>,
    phone: u64,
    peer: &str,
    author: u64,
    id: &str,
    from_me: bool,
    text: &str,
) -> Result<()> {
    turn.db
        .prepare_cached(
            "INSERT INTO chat (phone, peer, author, id, from_me, at, text, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            phone,
            peer,
            author.to_string(),
            id,
            from_me,
            turn.now,
            text,
            if from_me { "sent" } else { "received" }
        ])?;
    Ok(())
}

/// A chat's name: the number of an account, or the jid of a group.
fn name_of(turn: &Turn<'_>, jid: &str) -> Result<String> {
    let Ok(parsed) = jid.parse::<Jid>() else { return Ok(jid.to_owned()) };
    Ok(accounts::resolve(turn.db, &parsed)?.map_or_else(|| jid.to_owned(), |person| person.phone.to_string()))
}

/// What a person would see of a message; `None` for what is not for persons.
pub(crate) fn describe(message: &wa::Message) -> Option<String> {
    if let Some(text) = &message.conversation {
        return Some(text.clone());
    }
    if let Some(text) = message.extended_text_message.as_option() {
        return text.text.clone();
    }
    let captioned =
        |kind: &str, caption: Option<&String>| Some(format!("[{kind}] {}", caption.map_or("", |c| c)));
    if let Some(image) = message.image_message.as_option() {
        return captioned("image", image.caption.as_ref());
    }
    if let Some(video) = message.video_message.as_option() {
        return captioned("video", video.caption.as_ref());
    }
    if let Some(document) = message.document_message.as_option() {
        return captioned("document", document.file_name.as_ref());
    }
    if message.audio_message.as_option().is_some() {
        return captioned("audio", None);
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        return captioned("reaction", reaction.text.as_ref());
    }
    if let Some(location) = message.location_message.as_option() {
        return captioned("location", location.name.as_ref());
    }
    if message.contact_message.as_option().is_some() {
        return captioned("contact", None);
    }
    let poll = message.poll_creation_message.as_option().or(message.poll_creation_message_v3.as_option());
    poll.and_then(|poll| captioned("poll", poll.name.as_ref()))
}

fn log(turn: &Turn<'_>, phone: u64, what: &str, id: &str, from: Seat, detail: Option<&str>) -> Result<()> {
    let line =
        Line { at: turn.now, conn: 0, seat: Some(Seat::phone(phone)), direction: Direction::Phone, detail };
    frame_log::event(turn.db, line, what, Some(id.to_owned()), Some(from.to_string()))
}

/// A message id as phones make them.
pub(crate) fn message_id() -> String {
    let mut random = [0; 15];
    rng().fill_bytes(&mut random);
    format!("AC{}", hex::encode_upper(random))
}

/// The phone writes a text, to a number or a group. Its own companions get it too.
pub(crate) fn send_text(
    turn: &mut Turn<'_>,
    phone: u64,
    to: &str,
    text: &str,
    id: Option<String>,
) -> Result<String> {
    let account = accounts::open(turn.db, phone)?;
    let id = id.unwrap_or_else(message_id);
    let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    if let Some(group) = to.strip_suffix("@g.us") {
        let group = groups::find(turn.db, group)?.ok_or_else(|| Error::NotFound(format!("no group {to}")))?;
        write_down(turn, phone, to, phone, &id, true, text)?;
        send_to_group(turn, &account, &group, &id, &message)?;
        return Ok(id);
    }
    let number: u64 =
        to.trim_start_matches('+').parse().map_err(|_| Error::Refused(format!("{to} is no number")))?;
    let peer = accounts::known(turn.db, number)?;
    write_down(turn, phone, &number.to_string(), phone, &id, true, text)?;
    send_to_person(turn, &account, &peer, &id, &message, None)?;
    Ok(id)
}

/// Seals a message for each device of the peer and each companion of one's own; for one device alone if `only` says so.
fn send_to_person(
    turn: &mut Turn<'_>,
    account: &Account,
    peer: &Person,
    id: &str,
    message: &wa::Message,
    only: Option<Seat>,
) -> Result<()> {
    let phone = account.person.phone;
    let to = peer.jid(0, Addressing::Pn);
    let copy = wa::Message {
        device_sent_message: MessageField::some(wa::message::DeviceSentMessage {
            destination_jid: Some(to.to_string()),
            message: MessageField::some(message.clone()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let own = accounts::companions(turn.db, phone)?;
    let theirs = if peer.phone == phone { Vec::new() } else { accounts::companions(turn.db, peer.phone)? };
    let theirs = std::iter::once(0).chain(theirs).map(|device| (Seat { phone: peer.phone, device }, message));
    let own = own.into_iter().map(|device| (Seat { phone, device }, &copy));
    let targets: Vec<_> = theirs.chain(own).filter(|(seat, _)| *seat != Seat::phone(phone)).collect();
    for (seat, message) in targets {
        if only.is_some_and(|only| only != seat) {
            continue;
        }
        let Some(sealed) = seal::seal(turn, account, seat, message)? else { continue };
        let person = if seat.phone == phone { account.person.clone() } else { peer.clone() };
        let letter = letter(account, id, &to);
        relay::deliver(turn, &letter, seat, &person, Addressing::Pn, vec![sealed])?;
    }
    Ok(())
}

fn letter<'a>(account: &'a Account, id: &'a str, to: &'a Jid) -> Letter<'a> {
    let from = Seat::phone(account.person.phone);
    Letter { id, from, sender: &account.person, to, kind: "text", extra: Vec::new(), shared: Vec::new() }
}

fn send_to_group(
    turn: &mut Turn<'_>,
    account: &Account,
    group: &groups::Group,
    id: &str,
    message: &wa::Message,
) -> Result<()> {
    let from = Seat::phone(account.person.phone);
    let to = Jid::group(group.id.as_str());
    let mut seats = Vec::new();
    for member in groups::members(turn.db, &group.id)? {
        let devices = accounts::companions(turn.db, member.phone)?;
        seats.extend(std::iter::once(0).chain(devices).map(|device| Seat { phone: member.phone, device }));
    }
    let (distribution, sealed) = seal::seal_for_group(turn.db, account, &to.to_string(), message)?;
    for seat in seats.into_iter().filter(|seat| *seat != from) {
        // Each time with the sender key: nobody has to remember who has it.
        let Some(key) = seal::seal(turn, account, seat, &distribution)? else { continue };
        let letter = letter(account, id, &to);
        relay::deliver_in_group(turn, &letter, seat, group.naming, vec![key, sealed.clone()])?;
    }
    Ok(())
}

/// A companion asks the phone to send a message again.
pub(crate) fn on_retry(turn: &mut Turn<'_>, phone: u64, from: Seat, node: &Node) -> Result<()> {
    let account = accounts::open(turn.db, phone)?;
    let id = attr(node, "id").unwrap_or_default();
    log(turn, phone, "retry", &id, from, None)?;
    Ratchets::of(&account).forget_session(turn.db, from)?;
    if let Some(bundle) = keys::in_receipt(node) {
        seal::begin(turn.db, &account, from, &bundle)?;
    }
    let mut find =
        turn.db.prepare_cached("SELECT peer, text FROM chat WHERE phone = ? AND id = ? AND from_me = 1")?;
    let row: Option<(String, String)> =
        find.query_row(params![phone, id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let Some((peer, text)) = row else { return Ok(()) };
    let message = wa::Message { conversation: Some(text), ..Default::default() };
    if let Some(group) = peer.strip_suffix("@g.us") {
        return match groups::find(turn.db, group)? {
            Some(group) => send_to_group(turn, &account, &group, &id, &message),
            None => Ok(()),
        };
    }
    let peer = accounts::known(turn.db, peer.parse().map_err(signal)?)?;
    send_to_person(turn, &account, &peer, &id, &message, Some(from))
}

/// A receipt for messages of the account: its phone shows how far they are. It never goes back.
pub(crate) fn on_receipt(turn: &Turn<'_>, whose: &Person, node: &Node) -> Result<()> {
    let status = match attr(node, "type").as_deref() {
        None | Some("" | "inactive") => "delivered",
        Some("read" | "played") => "read",
        _ => return Ok(()),
    };
    for id in receipt_ids(node) {
        turn.db
            .prepare_cached(
                "UPDATE chat SET status = ?1 WHERE phone = ?2 AND id = ?3 AND from_me = 1
                 AND (status = 'sent' OR ?1 = 'read')",
            )?
            .execute(params![status, whose.phone, id])?;
    }
    Ok(())
}

/// The person reads a chat on the phone: everything unread in it gets a read receipt. Answers how many.
pub(crate) fn read(turn: &mut Turn<'_>, phone: u64, peer: &str) -> Result<usize> {
    accounts::known(turn.db, phone)?;
    let mut list = turn.db.prepare_cached(
        "SELECT n, id, author FROM chat WHERE phone = ? AND peer = ? AND from_me = 0 AND status = 'received' ORDER BY n",
    )?;
    let unread: Vec<(i64, String, u64)> = list
        .query_map(params![phone, peer], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get::<_, String>(2)?.parse().unwrap_or_default()))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (n, id, author) in &unread {
        turn.db.prepare_cached("UPDATE chat SET status = 'read' WHERE n = ?")?.execute([n])?;
        let author = Jid::pn(author.to_string());
        let receipt = NodeBuilder::new("receipt").attr("id", id.as_str()).attr("type", "read");
        let receipt = if peer.ends_with("@g.us") {
            receipt.attr("to", peer).attr("participant", author)
        } else {
            receipt.attr("to", author)
        };
        receipts::relay(turn, Seat::phone(phone), &receipt.build())?;
    }
    Ok(unread.len())
}

/// The first login of a companion: the phone shares its app-state key, so that the companion need not wait for it.
pub(crate) fn greet(turn: &mut Turn<'_>, seat: Seat) -> Result<()> {
    if accounts::greet(turn.db, seat)? {
        return Ok(());
    }
    let account = accounts::open(turn.db, seat.phone)?;
    share_app_key(turn, &account, seat)
}

fn share_app_key(turn: &mut Turn<'_>, account: &Account, seat: Seat) -> Result<()> {
    use wa::message::protocol_message::Type;
    use wa::message::{
        AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
        AppStateSyncKeyShare, ProtocolMessage,
    };

    let data = AppStateSyncKeyData {
        key_data: Some(account.app_key.clone()),
        fingerprint: MessageField::some(AppStateSyncKeyFingerprint {
            raw_id: Some(accounts::raw_id(account.person.phone)),
            current_index: Some(u32::from(seat.device)),
            device_indexes: vec![0, u32::from(seat.device)],
        }),
        timestamp: Some(turn.now),
    };
    let key = AppStateSyncKey {
        key_id: MessageField::some(AppStateSyncKeyId { key_id: Some(vec![0, 0, 0, 0, 0, 1]) }),
        key_data: MessageField::some(data),
    };
    let share = ProtocolMessage {
        r#type: Some(Type::AppStateSyncKeyShare),
        app_state_sync_key_share: MessageField::some(AppStateSyncKeyShare { keys: vec![key] }),
        ..Default::default()
    };
    let message = wa::Message { protocol_message: MessageField::some(share), ..Default::default() };
    let Some(sealed) = seal::seal(turn, account, seat, &message)? else { return Ok(()) };
    let id = message_id();
    let node = NodeBuilder::new("message")
        .attr("from", account.person.jid(0, Addressing::Pn))
        .attr("id", id.as_str())
        .attr("type", "text")
        .attr("category", "peer")
        .attr("t", turn.t())
        .attr("peer_recipient_lid", account.person.jid(seat.device, Addressing::Lid))
        .children([sealed])
        .build();
    crate::offline::owe(turn, seat, node)
}
