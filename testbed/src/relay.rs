//! Messages between devices. The server sees envelopes: who sends, to whom, which sealed part is for which device.

use std::collections::HashMap;
use std::time::Duration;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::accounts;
use crate::error::{Error, Result, protocol};
use crate::failures::{self, Fate};
use crate::seat::{Addressing, Person, Seat, addressing};
use crate::stanza::{attr, children, jid, required};
use crate::world::{ConnId, Turn};
use crate::{groups, offline, phone};

/// The most devices a message may be sealed for.
const MAX_FAN_OUT: usize = 4_000;

/// A message on its way: everything of its envelope that is the same for each device.
pub(crate) struct Letter<'a> {
    pub id: &'a str,
    pub from: Seat,
    pub sender: &'a Person,
    /// The chat as the sender named it.
    pub to: &'a Jid,
    pub kind: &'a str,
    /// Further attributes that pass through, such as `edit` and `category`.
    pub extra: Vec<(&'static str, String)>,
    /// Parts that go to every device: the signed identity of the sender, and hints.
    pub shared: Vec<Node>,
}

/// A companion sends a message.
pub(crate) fn on_message(turn: &mut Turn<'_>, conn: ConnId, from: Seat, node: &Node) -> Result<()> {
    let id = required(node, "id")?;
    let to = jid(node, "to")?;
    let fate = failures::of_message(turn, from, &to)?;
    if let Some(code) = fate.nack {
        return turn.send(conn, ack(turn, &id, &to, Some(code)));
    }
    let sender = accounts::known(turn.db, from.phone)?;
    let kind = attr(node, "type").unwrap_or_else(|| "text".into());
    let extra =
        ["edit", "category", "addressing_mode"].iter().filter_map(|key| Some((*key, attr(node, key)?)));
    let letter = Letter {
        id: &id,
        from,
        sender: &sender,
        to: &to,
        kind: &kind,
        extra: extra.collect(),
        shared: children(node)
            .iter()
            .filter(|part| matches!(part.tag.as_ref(), "device-identity" | "meta" | "biz" | "reporting"))
            .cloned()
            .collect(),
    };
    for _ in 0..if fate.twice { 2 } else { 1 } {
        if to.is_group() {
            to_group(turn, &letter, node)?;
        } else if to.is_pn() || to.is_lid() {
            to_user(turn, &letter, node)?;
        }
    }
    answer(turn, conn, &id, to.clone(), &fate)
}

/// Acknowledges, unless the script has something else in mind.
fn answer(turn: &mut Turn<'_>, conn: ConnId, id: &str, to: Jid, fate: &Fate) -> Result<()> {
    if fate.lose_ack {
        return Ok(());
    }
    let ack = ack(turn, id, &to, None);
    match fate.ack_after_ms {
        None => turn.send(conn, ack),
        Some(ms) => {
            turn.later(Duration::from_millis(ms.min(600_000)), conn, move |turn, conn| turn.send(conn, ack));
            Ok(())
        }
    }
}

fn ack(turn: &Turn<'_>, id: &str, to: &Jid, error: Option<u16>) -> Node {
    let mut ack =
        NodeBuilder::new("ack").attr("class", "message").attr("id", id).attr("from", to).attr("t", turn.t());
    if let Some(code) = error {
        ack = ack.attr("error", code.to_string());
    }
    ack.build()
}

/// The sealed parts by device: a list of participants, or parts for the one device that is named.
fn sealed_parts(node: &Node, to: &Jid) -> Result<Vec<(Jid, Vec<Node>)>> {
    let encs = |node: &Node| -> Vec<Node> { node.get_children_by_tag("enc").cloned().collect() };
    let Some(participants) = node.get_optional_child("participants") else {
        let parts = encs(node);
        return Ok(if parts.is_empty() { Vec::new() } else { vec![(to.clone(), parts)] });
    };
    if children(participants).len() > MAX_FAN_OUT {
        return Err(protocol(format!("a message for {} devices", children(participants).len())));
    }
    children(participants).iter().map(|part| Ok((jid(part, "jid")?, encs(part)))).collect()
}

fn to_user(turn: &mut Turn<'_>, letter: &Letter<'_>, node: &Node) -> Result<()> {
    for (whose, sealed) in sealed_parts(node, letter.to)? {
        let Some(person) = accounts::resolve(turn.db, &whose)? else { continue };
        let seat = Seat { phone: person.phone, device: whose.device };
        if seat != letter.from {
            deliver(turn, letter, seat, &person, addressing(&whose), sealed)?;
        }
    }
    Ok(())
}

/// Delivers a letter of a chat of two to one device.
pub(crate) fn deliver(
    turn: &mut Turn<'_>,
    letter: &Letter<'_>,
    seat: Seat,
    person: &Person,
    naming: Addressing,
    sealed: Vec<Node>,
) -> Result<()> {
    let other = if naming == Addressing::Pn { Addressing::Lid } else { Addressing::Pn };
    let mut node = envelope(turn, letter).attr("from", letter.sender.jid(letter.from.device, naming));
    if person.phone == letter.from.phone {
        // One's own other devices learn which chat it belongs to.
        let chat = accounts::resolve(turn.db, letter.to)?;
        let recipient = chat.as_ref().map_or_else(|| letter.to.to_non_ad(), |chat| chat.jid(0, naming));
        node = node.attr("recipient", recipient);
        if let Some(chat) = chat {
            let key = if other == Addressing::Pn { "peer_recipient_pn" } else { "peer_recipient_lid" };
            node = node.attr(key, chat.jid(0, other));
        }
    } else {
        let key = if other == Addressing::Pn { "sender_pn" } else { "sender_lid" };
        node = node.attr(key, letter.sender.jid(letter.from.device, other));
    }
    hand(turn, letter, seat, node, sealed)
}

fn to_group(turn: &mut Turn<'_>, letter: &Letter<'_>, node: &Node) -> Result<()> {
    let Some(group) = groups::find(turn.db, &letter.to.user)? else { return Ok(()) };
    let members = groups::members(turn.db, &group.id)?;
    if !members.iter().any(|member| member.phone == letter.from.phone) {
        return Ok(());
    }
    let mut own: HashMap<Seat, Vec<Node>> = HashMap::new();
    if node.get_optional_child("participants").is_some() {
        for (whose, sealed) in sealed_parts(node, letter.to)? {
            if let Some(person) = accounts::resolve(turn.db, &whose)? {
                own.insert(Seat { phone: person.phone, device: whose.device }, sealed);
            }
        }
    }
    let common: Vec<Node> = node.get_children_by_tag("enc").cloned().collect();
    // Sent again for one device only, after it asked.
    let only = match attr(node, "participant") {
        Some(_) => {
            let whose = jid(node, "participant")?;
            accounts::resolve(turn.db, &whose)?.map(|p| Seat { phone: p.phone, device: whose.device })
        }
        None => None,
    };
    for member in members {
        let devices = accounts::companions(turn.db, member.phone)?;
        for device in std::iter::once(0).chain(devices) {
            let seat = Seat { phone: member.phone, device };
            if seat == letter.from || only.is_some_and(|only| only != seat) {
                continue;
            }
            let mut sealed = own.remove(&seat).unwrap_or_default();
            sealed.extend(common.iter().cloned());
            deliver_in_group(turn, letter, seat, group.naming, sealed)?;
        }
    }
    Ok(())
}

/// Delivers a letter of a group to one device.
pub(crate) fn deliver_in_group(
    turn: &mut Turn<'_>,
    letter: &Letter<'_>,
    seat: Seat,
    naming: Addressing,
    sealed: Vec<Node>,
) -> Result<()> {
    let author = letter.sender.jid(letter.from.device, naming);
    let mut node = envelope(turn, letter).attr("from", letter.to).attr("participant", author);
    if !letter.extra.iter().any(|(key, _)| *key == "addressing_mode") {
        node = node.attr("addressing_mode", if naming == Addressing::Lid { "lid" } else { "pn" });
    }
    let (key, other) = match naming {
        Addressing::Lid => ("participant_pn", Addressing::Pn),
        Addressing::Pn => ("participant_lid", Addressing::Lid),
    };
    node = node.attr(key, letter.sender.jid(letter.from.device, other));
    hand(turn, letter, seat, node, sealed)
}

fn envelope(turn: &Turn<'_>, letter: &Letter<'_>) -> NodeBuilder {
    let mut node =
        NodeBuilder::new("message").attr("id", letter.id).attr("type", letter.kind).attr("t", turn.t());
    for (key, value) in &letter.extra {
        node = node.attr(key, value.as_str());
    }
    node.attr("notify", letter.sender.name.as_str())
}

fn hand(
    turn: &mut Turn<'_>,
    letter: &Letter<'_>,
    seat: Seat,
    node: NodeBuilder,
    mut parts: Vec<Node>,
) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    parts.extend(letter.shared.iter().cloned());
    let node = node.children(parts).build();
    if seat.device == 0 {
        return match phone::on_message(turn, seat.phone, letter.from, &node) {
            // What a phone cannot do with a message is not its sender's fault, as far as the server can tell.
            Err(Error::Signal(why)) => turn.note(0, Some(seat), "phone.failed", Some(&why)),
            done => done,
        };
    }
    if accounts::companion(turn.db, seat)?.is_none() {
        return Ok(());
    }
    offline::owe(turn, seat, node)
}

/// Somebody types, or stops. Not kept for who is away.
pub(crate) fn on_chatstate(turn: &mut Turn<'_>, from: Seat, node: &Node) -> Result<()> {
    let to = jid(node, "to")?;
    let Some(person) = accounts::resolve(turn.db, &to)? else { return Ok(()) };
    let sender = accounts::known(turn.db, from.phone)?;
    let state = NodeBuilder::new("chatstate").attr("from", sender.jid(0, addressing(&to)));
    let state = state.children(children(node).iter().take(4).cloned()).build();
    for device in accounts::companions(turn.db, person.phone)? {
        if let Some(&conn) = turn.live.online.get(&Seat { phone: person.phone, device }) {
            turn.send(conn, state.clone())?;
        }
    }
    Ok(())
}
