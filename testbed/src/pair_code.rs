//! Linking by a code that a person types into the phone, three steps: the companion's hello with its ephemeral key
//! sealed by the code, the phone's hello the same way, and the companion's finish, whose bundle yields the secret that
//! a QR would have shown. The key derivations are those of whatsapp-rust and Baileys, which agree.

use wacore::libsignal::crypto::aes_256_gcm_decrypt;
use wacore::libsignal::protocol::{KeyPair, PublicKey};
use wacore::pair_code::PairCodeUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounts::{self, public, rng};
use crate::error::{Error, Result, signal};
use crate::pairing;
use crate::stanza::{attr, child_bytes, iq_error, iq_result, jid, leaf, server};
use crate::world::{ConnId, Turn};

/// How long a code may be typed: 180 s in both libraries.
const VALID_MS: i64 = 180_000;

/// Where linking by code stands.
pub(crate) struct CodeFlow {
    phone: u64,
    reference: Vec<u8>,
    /// The companion's ephemeral key, sealed by the code.
    sealed_ephemeral: Vec<u8>,
    begun_ms: i64,
    /// The phone's ephemeral key and the companion's, once the code was typed.
    opened: Option<(KeyPair, [u8; 32])>,
}

/// `<link_code_companion_reg>` of a companion.
pub(crate) fn on_request(turn: &mut Turn<'_>, conn: ConnId, id: &str, request: &Node) -> Result<()> {
    match attr(request, "stage").as_deref() {
        Some("companion_hello") => hello(turn, conn, id, request),
        Some("companion_finish") => finish(turn, conn, id, request),
        _ => turn.send(conn, iq_error(id, 400, "bad-request")),
    }
}

fn hello(turn: &mut Turn<'_>, conn: ConnId, id: &str, request: &Node) -> Result<()> {
    let whose: Jid = jid(request, "jid")?;
    let Some(person) = accounts::resolve(turn.db, &whose)? else {
        return turn.send(conn, iq_error(id, 400, "bad-request"));
    };
    let sealed_ephemeral = child_bytes(request, "link_code_pairing_wrapped_companion_ephemeral_pub");
    let now = turn.now;
    let Some(pairing) = turn.live.pairing.get_mut(&conn).filter(|_| sealed_ephemeral.len() == 80) else {
        return turn.send(conn, iq_error(id, 400, "bad-request"));
    };
    let reference = format!("testbed-{conn}-{now}").into_bytes();
    pairing.code = Some(CodeFlow {
        phone: person.phone,
        reference: reference.clone(),
        sealed_ephemeral,
        begun_ms: now,
        opened: None,
    });
    let answer = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "companion_hello")
        .children([leaf("link_code_pairing_ref", reference)])
        .build();
    turn.note(conn, Some(crate::seat::Seat::phone(person.phone)), "pair.code.asked", None)?;
    turn.send(conn, iq_result(id, vec![answer]))
}

/// What a phone needs before a code is typed: the derivation of its key takes a tenth of a second, which is spent
/// outside the lock.
pub(crate) struct Typed {
    conn: ConnId,
    companion: [u8; 32],
    ours: KeyPair,
    sealed: [u8; 80],
}

/// The socket that waits for a code on this phone, and its sealed key.
pub(crate) fn waiting(turn: &Turn<'_>, phone: u64) -> Result<(ConnId, Vec<u8>)> {
    accounts::known(turn.db, phone)?;
    let newest = turn
        .live
        .pairing
        .iter()
        .filter_map(|(conn, pairing)| {
            Some((*conn, pairing.code.as_ref().filter(|code| code.phone == phone)?))
        })
        .max_by_key(|(conn, _)| *conn);
    let (conn, code) =
        newest.ok_or_else(|| Error::NotFound(format!("no client asked for a code for {phone}")))?;
    if turn.now - code.begun_ms > VALID_MS {
        return Err(Error::Refused("the code has expired; let the client ask for another".into()));
    }
    Ok((conn, code.sealed_ephemeral.clone()))
}

/// Opens the companion's key by the code and seals ours. A wrong code opens to another key, which shows only when the
/// companion's bundle does not open: as with a real phone.
pub(crate) fn type_code(conn: ConnId, sealed: &[u8], code: &str) -> Result<Typed> {
    let code: String =
        code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    if code.len() != 8 {
        return Err(Error::Refused("a linking code has eight letters or digits".into()));
    }
    let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(sealed, &code).map_err(signal)?;
    let ours = KeyPair::generate(&mut rng());
    let ephemeral: [u8; 32] = public(&ours).try_into().map_err(|_| signal("a key of 32 bytes"))?;
    let sealed = PairCodeUtils::encrypt_ephemeral_pub(&ephemeral, &code);
    Ok(Typed { conn, companion, ours, sealed })
}

/// The phone's hello: the notification that lets the companion finish.
pub(crate) fn primary_hello(turn: &mut Turn<'_>, phone: u64, typed: Typed) -> Result<()> {
    let account = accounts::open(turn.db, phone)?;
    let pairing = turn.live.pairing.get_mut(&typed.conn);
    let flow = pairing.and_then(|pairing| pairing.code.as_mut());
    let flow = flow.ok_or_else(|| Error::NotFound("the client that asked for the code left".into()))?;
    flow.opened = Some((typed.ours, typed.companion));
    let hello = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "primary_hello")
        .children([
            leaf("link_code_pairing_wrapped_primary_ephemeral_pub", typed.sealed.to_vec()),
            leaf("primary_identity_pub", public(&account.identity)),
            leaf("link_code_pairing_ref", flow.reference.clone()),
        ])
        .build();
    let notification = NodeBuilder::new("notification")
        .attr("from", server())
        .attr("type", "link_code_companion_reg")
        .attr("id", format!("code-{}", typed.conn))
        .attr("t", turn.t())
        .children([hello])
        .build();
    turn.send(typed.conn, notification)
}

/// The companion's finish: its bundle is opened, and what is in it is the secret that a QR would have carried.
fn finish(turn: &mut Turn<'_>, conn: ConnId, id: &str, request: &Node) -> Result<()> {
    let Some(pairing) = turn.live.pairing.get_mut(&conn) else {
        return turn.send(conn, iq_error(id, 400, "bad-request"));
    };
    let identity = pairing.identity.clone();
    let reference = child_bytes(request, "link_code_pairing_ref");
    // What the phone typed is used up; if the code was wrong, it may be typed again.
    let flow = pairing.code.as_mut().filter(|flow| flow.reference == reference);
    let Some((phone, (ours, companion))) = flow.and_then(|flow| Some((flow.phone, flow.opened.take()?)))
    else {
        return turn.send(conn, iq_error(id, 400, "bad-request"));
    };
    let account = accounts::open(turn.db, phone)?;
    let bundle = child_bytes(request, "link_code_pairing_wrapped_key_bundle");
    let shared = ours.calculate_agreement(&key(&companion)?).map_err(signal)?;
    let opened = open_bundle(&bundle, &shared);
    turn.send(conn, iq_result(id, vec![]))?;
    // Salt and IV go with the bundle; inside are the companion's identity, the phone's, and 32 random bytes.
    let Some(random) =
        opened.filter(|b| b.len() == 96 && b[..32] == identity && b[32..64] == public(&account.identity))
    else {
        // A real phone says "wrong code" to its owner and nothing to the companion.
        return turn.note(conn, Some(crate::seat::Seat::phone(phone)), "pair.code.wrong", None);
    };
    let identity_shared = account.identity.calculate_agreement(&key(&identity)?).map_err(signal)?;
    let combined = [&shared[..], &identity_shared, &random[64..]].concat();
    let mut secret = [0; 32];
    wacore::crypto::hkdf_sha256_into(&combined, None, b"adv_secret", &mut secret).map_err(signal)?;
    pairing::agree(turn, conn, phone, &secret)?;
    Ok(())
}

fn open_bundle(bundle: &[u8], shared: &[u8; 32]) -> Option<Vec<u8>> {
    let (salt, rest) = bundle.split_at_checked(32)?;
    let (iv, sealed) = rest.split_at_checked(12)?;
    let mut key = [0; 32];
    let info = b"link_code_pairing_key_bundle_encryption_key";
    wacore::crypto::hkdf_sha256_into(shared, Some(salt), info, &mut key).ok()?;
    let mut plain = Vec::new();
    aes_256_gcm_decrypt(&key, iv.try_into().ok()?, b"", sealed, &mut plain).ok()?;
    Some(plain)
}

fn key(bytes: &[u8]) -> Result<PublicKey> {
    PublicKey::from_djb_public_key_bytes(bytes).map_err(signal)
}
