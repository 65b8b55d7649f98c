//! The key server (`xmlns="encrypt"`): bundles of companions as they uploaded them, one-time pre-keys that are given to
//! nobody twice, and the phones' own bundles.

use rusqlite::{Connection, OptionalExtension, params};
use wacore::prekeys::compute_key_bundle_digest;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounts;
use crate::error::{Result, protocol};
use crate::seat::Seat;
use crate::stanza::{bytes, child_bytes, children, iq_error, iq_result, jid, leaf, server};
use crate::world::{ConnId, Turn};
use crate::{offline, phone};

/// The most pre-keys an upload may have; Baileys and whatsapp-rust send 812.
const MAX_UPLOAD: usize = 2_000;
/// At so few pre-keys a device is asked for more.
const LOW: u64 = 9;
/// The most devices a request may name.
const MAX_FETCH: usize = 2_000;

/// What a device gives away so that others can write to it.
pub(crate) struct Bundle {
    pub registration: Vec<u8>,
    pub identity: Vec<u8>,
    pub skey_id: Vec<u8>,
    pub skey: Vec<u8>,
    pub skey_signature: Vec<u8>,
    /// A pre-key for one use, with its number.
    pub once: Option<(u32, Vec<u8>)>,
    /// The identity as account and device signed it; phones have none.
    pub signed_identity: Option<Vec<u8>>,
}

/// Answers a request about keys.
pub(crate) fn on_iq(
    turn: &mut Turn<'_>,
    conn: ConnId,
    seat: Seat,
    id: &str,
    set: bool,
    request: &Node,
) -> Result<()> {
    let child = children(request).first();
    let answer = match child.map(|child| child.tag.as_ref()) {
        Some("count") => {
            let count = count(turn.db, seat)?;
            iq_result(id, vec![NodeBuilder::new("count").attr("value", count.to_string()).build()])
        }
        Some("digest") => digest(turn, seat, id)?,
        Some("key") if !set => fetch(turn, id, child.map(children).unwrap_or_default())?,
        Some("rotate") => {
            let skey = child.and_then(|rotate| rotate.get_optional_child("skey"));
            rotate(turn.db, seat, skey.ok_or_else(|| protocol("<rotate> without <skey>"))?)?;
            iq_result(id, vec![])
        }
        _ if set => {
            upload(turn.db, seat, request)?;
            iq_result(id, vec![])
        }
        _ => iq_error(id, 400, "bad-request"),
    };
    turn.send(conn, answer)
}

fn upload(db: &Connection, seat: Seat, request: &Node) -> Result<()> {
    let list = request.get_optional_child("list").map(children).unwrap_or_default();
    if list.len() > MAX_UPLOAD {
        return Err(protocol(format!("an upload of {} pre-keys", list.len())));
    }
    for key in list {
        let public = child_bytes(key, "value");
        let (Some(number), 32) = (number(&child_bytes(key, "id")), public.len()) else {
            return Err(protocol("a pre-key that is none"));
        };
        db.prepare_cached("INSERT OR REPLACE INTO prekey VALUES (?, ?, ?, ?)")?.execute(params![
            seat.phone,
            seat.device,
            number,
            public
        ])?;
    }
    if let Some(skey) = request.get_optional_child("skey") {
        rotate(db, seat, skey)?;
    }
    Ok(())
}

fn rotate(db: &Connection, seat: Seat, skey: &Node) -> Result<()> {
    let (id, key, signature) =
        (child_bytes(skey, "id"), child_bytes(skey, "value"), child_bytes(skey, "signature"));
    if id.len() != 3 || key.len() != 32 || signature.len() != 64 {
        return Err(protocol("a signed pre-key that is none"));
    }
    db.prepare_cached(
        "UPDATE device SET skey_id = ?, skey = ?, skey_signature = ? WHERE phone = ? AND device = ?",
    )?
    .execute(params![id, key, signature, seat.phone, seat.device])?;
    Ok(())
}

/// A number of up to four bytes, the greatest first.
fn number(bytes: &[u8]) -> Option<u32> {
    (1..=4)
        .contains(&bytes.len())
        .then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn count(db: &Connection, seat: Seat) -> Result<u64> {
    let mut count = db.prepare_cached("SELECT count(*) FROM prekey WHERE phone = ? AND device = ?")?;
    Ok(count.query_row(params![seat.phone, seat.device], |r| r.get(0))?)
}

/// What the server has of the device's keys, with a hash by which it finds out whether it has the same.
fn digest(turn: &Turn<'_>, seat: Seat, id: &str) -> Result<Node> {
    let Some(companion) = accounts::companion(turn.db, seat)? else {
        return Ok(iq_error(id, 404, "item-not-found"));
    };
    let mut list =
        turn.db.prepare_cached("SELECT id, public FROM prekey WHERE phone = ? AND device = ? ORDER BY id")?;
    let keys: Vec<(u32, Vec<u8>)> = list
        .query_map(params![seat.phone, seat.device], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if keys.is_empty() {
        return Ok(iq_error(id, 404, "item-not-found"));
    }
    let publics: Vec<&[u8]> = keys.iter().map(|(_, public)| public.as_slice()).collect();
    let hash =
        compute_key_bundle_digest(&companion.identity, &companion.skey, &companion.skey_signature, &publics);
    let ids = keys.iter().map(|(number, _)| leaf("id", &number.to_be_bytes()[1..]));
    let digest = NodeBuilder::new("digest").children([
        leaf("registration", companion.registration),
        leaf("type", [5]),
        leaf("identity", companion.identity),
        skey(&companion.skey_id, &companion.skey, &companion.skey_signature),
        NodeBuilder::new("list").children(ids).build(),
        leaf("hash", hash),
    ]);
    Ok(iq_result(id, vec![digest.build()]))
}

fn skey(id: &[u8], key: &[u8], signature: &[u8]) -> Node {
    NodeBuilder::new("skey")
        .children([leaf("id", id), leaf("value", key), leaf("signature", signature)])
        .build()
}

fn fetch(turn: &mut Turn<'_>, id: &str, wanted: &[Node]) -> Result<Node> {
    if wanted.len() > MAX_FETCH {
        return Err(protocol(format!("a request for {} bundles", wanted.len())));
    }
    let mut users = Vec::with_capacity(wanted.len());
    for user in wanted {
        let whose: Jid = jid(user, "jid")?;
        let bundle = match accounts::resolve(turn.db, &whose)? {
            Some(person) => take(turn, Seat { phone: person.phone, device: whose.device })?,
            None => None,
        };
        let node = NodeBuilder::new("user").attr("jid", whose).attr("t", turn.t());
        users.push(match bundle {
            Some(bundle) => node.children(nodes(bundle)).build(),
            None => node
                .children([NodeBuilder::new("error")
                    .attr("code", "406")
                    .attr("text", "not-acceptable")
                    .build()])
                .build(),
        });
    }
    Ok(iq_result(id, vec![NodeBuilder::new("list").children(users).build()]))
}

/// Takes a bundle: its one-time pre-key is given to nobody else.
pub(crate) fn take(turn: &mut Turn<'_>, seat: Seat) -> Result<Option<Bundle>> {
    if seat.device == 0 {
        return phone::bundle(turn, seat.phone).map(Some);
    }
    let Some(companion) = accounts::companion(turn.db, seat)? else { return Ok(None) };
    let mut take = turn.db.prepare_cached(
        "DELETE FROM prekey WHERE (phone, device, id) =
           (SELECT phone, device, id FROM prekey WHERE phone = ? AND device = ? ORDER BY id LIMIT 1)
         RETURNING id, public",
    )?;
    let once = take.query_row(params![seat.phone, seat.device], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let left = count(turn.db, seat)?;
    if once.is_some() && left == LOW {
        let count = NodeBuilder::new("count").attr("value", left.to_string()).build();
        let low = NodeBuilder::new("notification")
            .attr("from", server())
            .attr("type", "encrypt")
            .attr("id", format!("low-{seat}-{}", turn.now))
            .attr("t", turn.t())
            .children([count]);
        offline::owe(turn, seat, low.build())?;
    }
    Ok(Some(Bundle {
        registration: companion.registration,
        identity: companion.identity,
        skey_id: companion.skey_id,
        skey: companion.skey,
        skey_signature: companion.skey_signature,
        once,
        signed_identity: Some(companion.signed_identity),
    }))
}

fn nodes(bundle: Bundle) -> Vec<Node> {
    let mut nodes = vec![
        leaf("registration", bundle.registration),
        leaf("type", [5]),
        leaf("identity", bundle.identity),
        skey(&bundle.skey_id, &bundle.skey, &bundle.skey_signature),
    ];
    if let Some((number, public)) = bundle.once {
        let key = [leaf("id", &number.to_be_bytes()[1..]), leaf("value", public)];
        nodes.push(NodeBuilder::new("key").children(key).build());
    }
    nodes.extend(bundle.signed_identity.map(|identity| leaf("device-identity", identity)));
    nodes
}

/// A bundle as it stands in a retry receipt.
pub(crate) fn in_receipt(node: &Node) -> Option<Bundle> {
    let keys = node.get_optional_child("keys")?;
    let signed = keys.get_optional_child("skey")?;
    let once = keys
        .get_optional_child("key")
        .and_then(|k| Some((number(&child_bytes(k, "id"))?, child_bytes(k, "value"))));
    Some(Bundle {
        registration: node.get_optional_child("registration").map(bytes)?,
        identity: child_bytes(keys, "identity"),
        skey_id: child_bytes(signed, "id"),
        skey: child_bytes(signed, "value"),
        skey_signature: child_bytes(signed, "signature"),
        once,
        signed_identity: None,
    })
}

/// A bundle as a retry receipt carries it.
pub(crate) fn for_receipt(bundle: Bundle) -> Node {
    let registration_apart = nodes(bundle).into_iter().filter(|node| node.tag != "registration");
    NodeBuilder::new("keys").children(registration_apart).build()
}
