//! Requests of clients. What the testbed knows nothing about gets an empty result: clients ask for much that a server
//! may leave out.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::error::Result;
use crate::stanza::{attr, children, iq_error, iq_result, required};
use crate::world::{ConnId, Turn};
use crate::{groups, keys, login, media, offline, pair_code, pairing, restriction, usync};

/// Answers a request, or takes the answer to one of ours.
pub(crate) fn on_iq(turn: &mut Turn<'_>, conn: ConnId, node: &Node) -> Result<()> {
    let id = required(node, "id")?;
    let kind = attr(node, "type").unwrap_or_default();
    if kind == "result" || kind == "error" {
        return match node.get_optional_child("pair-device-sign") {
            Some(sign) => pairing::on_signed(turn, conn, sign),
            None => Ok(()),
        };
    }
    let set = kind == "set";
    let namespace = attr(node, "xmlns").unwrap_or_default();
    let first = children(node).first();
    let child = first.map(|child| child.tag.as_ref()).unwrap_or_default();
    let seat = turn.seat(conn);

    match (namespace.as_str(), child, seat) {
        ("md", "link_code_companion_reg", None) => {
            pair_code::on_request(turn, conn, &id, first.expect("the child was just named"))
        }
        (_, _, None) => turn.send(conn, iq_error(&id, 403, "forbidden")),
        ("encrypt", _, Some(seat)) => keys::on_iq(turn, conn, seat, &id, set, node),
        ("usync", ..) => usync::on_iq(turn, conn, &id, node),
        ("w:m", ..) => {
            let answer = media::connection(turn);
            turn.send(conn, iq_result(&id, vec![answer]))
        }
        ("w:g2", _, Some(seat)) => groups::on_iq(turn, conn, seat, &id, node),
        ("w:mex", _, Some(seat)) => restriction::on_iq(turn, conn, seat, &id, node),
        ("passive", "active", Some(seat)) => {
            turn.send(conn, iq_result(&id, vec![]))?;
            offline::on_active(turn, conn, seat)
        }
        ("md", "remove-companion-device", Some(seat)) => {
            turn.send(conn, iq_result(&id, vec![]))?;
            login::remove(turn, seat, false)
        }
        ("w:sync:app:state", ..) => turn.send(conn, iq_result(&id, vec![app_state(node)])),
        ("abt", ..) => {
            turn.send(conn, iq_result(&id, vec![NodeBuilder::new("props").attr("hash", "testbed").build()]))
        }
        ("blocklist", ..) => {
            turn.send(conn, iq_result(&id, vec![NodeBuilder::new("list").attr("dhash", "testbed").build()]))
        }
        ("privacy", _, _) if !set => turn.send(conn, iq_result(&id, vec![privacy()])),
        ("w:profile:picture", ..) => turn.send(conn, iq_error(&id, 404, "item-not-found")),
        ("urn:xmpp:whatsapp:dirty", ..) => turn.send(conn, iq_result(&id, vec![])),
        ("w:p" | "urn:xmpp:ping", ..) => {
            let pong = NodeBuilder::new("iq")
                .attr("from", crate::stanza::server())
                .attr("id", id.as_str())
                .attr("type", "result")
                .attr("t", turn.t());
            turn.send(conn, pong.build())
        }
        _ => turn.send(conn, iq_result(&id, vec![])),
    }
}

/// Every collection of app state is empty: what a phone would keep there no test needs.
fn app_state(node: &Node) -> Node {
    let asked = node.get_optional_child("sync").map(children).unwrap_or_default();
    let collections = asked.iter().take(16).map(|collection| {
        NodeBuilder::new("collection")
            .attr("name", attr(collection, "name").unwrap_or_default())
            .attr("version", attr(collection, "version").unwrap_or_else(|| "0".into()))
            .build()
    });
    NodeBuilder::new("sync").children(collections).build()
}

fn privacy() -> Node {
    let names = ["readreceipts", "profile", "status", "online", "last", "groupadd", "calladd"];
    let categories =
        names.map(|name| NodeBuilder::new("category").attr("name", name).attr("value", "all").build());
    NodeBuilder::new("privacy").children(categories).build()
}
