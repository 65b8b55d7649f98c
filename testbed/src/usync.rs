//! Questions about users (`xmlns="usync"`): who is here, under which hidden number, with which devices.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounts::{self, signed_key_index_list};
use crate::error::{Result, protocol};
use crate::seat::{Addressing, Person, Seat};
use crate::stanza::{attr, bytes, children, iq_error, iq_result, leaf};
use crate::world::{ConnId, Turn};
use crate::{offline, stanza};

/// The most users a question may name.
const MAX_USERS: usize = 2_000;

/// Answers a question.
pub(crate) fn on_iq(turn: &mut Turn<'_>, conn: ConnId, id: &str, request: &Node) -> Result<()> {
    let Some(usync) = request.get_optional_child("usync") else {
        return turn.send(conn, iq_error(id, 400, "bad-request"));
    };
    let asked: Vec<String> = usync
        .get_optional_child("query")
        .map(children)
        .unwrap_or_default()
        .iter()
        .map(|p| p.tag.to_string())
        .collect();
    let users = usync.get_optional_child("list").map(children).unwrap_or_default();
    if users.len() > MAX_USERS || asked.len() > 32 {
        return Err(protocol(format!("a question about {} users", users.len())));
    }
    let mut answers = Vec::with_capacity(users.len());
    for user in users {
        answers.push(answer(turn, user, &asked)?);
    }
    let result = asked.iter().map(|protocol| NodeBuilder::new_dynamic(protocol.clone()).build());
    let mut echo = NodeBuilder::new("usync").attr("index", "0").attr("last", "true");
    for key in ["sid", "mode", "context"] {
        if let Some(value) = attr(usync, key) {
            echo = echo.attr(key, value);
        }
    }
    let echo = echo.children([
        NodeBuilder::new("result").children(result).build(),
        NodeBuilder::new("list").children(answers).build(),
    ]);
    turn.send(conn, iq_result(id, vec![echo.build()]))
}

fn answer(turn: &Turn<'_>, user: &Node, asked: &[String]) -> Result<Node> {
    let contact = user.get_optional_child("contact").map(bytes).unwrap_or_default();
    let whose: Jid = match attr(user, "jid") {
        Some(_) => stanza::jid(user, "jid")?.to_non_ad(),
        None => {
            let digits: String =
                contact.iter().map(|b| char::from(*b)).filter(char::is_ascii_digit).take(20).collect();
            Jid::pn(digits)
        }
    };
    let person = accounts::resolve(turn.db, &whose)?;
    let mut parts = Vec::new();
    for protocol in asked {
        match (protocol.as_str(), &person) {
            ("contact", found) => {
                parts.push(
                    NodeBuilder::new("contact")
                        .attr("type", if found.is_some() { "in" } else { "out" })
                        .build(),
                );
            }
            ("devices", Some(person)) => parts.push(devices(turn, person.phone)?),
            ("lid", Some(person)) => {
                parts.push(NodeBuilder::new("lid").attr("val", person.jid(0, Addressing::Lid)).build());
            }
            ("status", Some(_)) => parts.push(leaf("status", *b"testbed")),
            _ => {}
        }
    }
    let mut node = NodeBuilder::new("user").attr("jid", whose);
    if let Some(person) = &person {
        node = node.attr("pn_jid", person.jid(0, Addressing::Pn));
    }
    Ok(node.children(parts).build())
}

fn devices(turn: &Turn<'_>, phone: u64) -> Result<Node> {
    let companions = accounts::companions(turn.db, phone)?;
    let account = accounts::open(turn.db, phone)?;
    let now = turn.now / 1000;
    let list =
        std::iter::once(NodeBuilder::new("device").attr("id", "0").build()).chain(companions.iter().map(
            |d| NodeBuilder::new("device").attr("id", d.to_string()).attr("key-index", d.to_string()).build(),
        ));
    let signed = signed_key_index_list(&account, &companions, now)?;
    let parts = [
        NodeBuilder::new("device-list").children(list).build(),
        NodeBuilder::new("key-index-list").attr("ts", now.to_string()).bytes(signed).build(),
    ];
    Ok(NodeBuilder::new("devices").children(parts).build())
}

/// A companion was added: whoever seals for the account learns of it.
pub(crate) fn device_added(turn: &mut Turn<'_>, new: Seat) -> Result<()> {
    let account = accounts::open(turn.db, new.phone)?;
    let companions = accounts::companions(turn.db, new.phone)?;
    let now = turn.now / 1000;
    let signed = signed_key_index_list(&account, &companions, now)?;
    let device = NodeBuilder::new("device")
        .attr("jid", account.person.jid(new.device, Addressing::Pn))
        .attr("lid", account.person.jid(new.device, Addressing::Lid))
        .attr("key-index", new.device.to_string())
        .build();
    let list = NodeBuilder::new("key-index-list").attr("ts", now.to_string()).bytes(signed).build();
    tell(turn, &account.person, new, NodeBuilder::new("add").children([device, list]).build())
}

/// A companion was removed.
pub(crate) fn device_removed(turn: &mut Turn<'_>, gone: Seat) -> Result<()> {
    let person = accounts::known(turn.db, gone.phone)?;
    let device = NodeBuilder::new("device")
        .attr("jid", person.jid(gone.device, Addressing::Pn))
        .attr("lid", person.jid(gone.device, Addressing::Lid))
        .build();
    let list = NodeBuilder::new("key-index-list").attr("ts", turn.t()).build();
    tell(turn, &person, gone, NodeBuilder::new("remove").children([device, list]).build())
}

/// Tells the account's own companions and those of whoever has written with it.
fn tell(turn: &mut Turn<'_>, whose: &Person, seat: Seat, what: Node) -> Result<()> {
    let notification = notification(turn, whose, seat, what);
    let mut list = turn.db.prepare_cached(
        "SELECT phone, device FROM device
         WHERE phone = ?1 OR phone IN (SELECT DISTINCT phone FROM chat WHERE peer = ?2) ORDER BY phone, device",
    )?;
    let told: Vec<Seat> = list
        .query_map((whose.phone, whose.phone.to_string()), |r| {
            Ok(Seat { phone: r.get(0)?, device: r.get(1)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for other in told.into_iter().filter(|other| *other != seat) {
        offline::owe(turn, other, notification.clone())?;
    }
    Ok(())
}

fn notification(turn: &Turn<'_>, whose: &Person, seat: Seat, what: Node) -> Node {
    NodeBuilder::new("notification")
        .attr("from", whose.jid(0, Addressing::Pn))
        .attr("lid", whose.jid(0, Addressing::Lid))
        .attr("type", "devices")
        .attr("id", format!("devices-{seat}-{}", turn.now))
        .attr("t", turn.t())
        .children([what])
        .build()
}
