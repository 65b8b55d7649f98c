//! Linking a companion by QR: the socket offers references, a phone scans one, the companion signs its identity.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use wacore::libsignal::protocol::PublicKey;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::accounts::{self, Companion, public, rng};
use crate::error::{Error, Result, protocol, signal};
use crate::pair_code::CodeFlow;
use crate::seat::{Addressing, Seat};
use crate::stanza::{bytes, leaf, server};
use crate::world::{ConnId, Out, Turn};

/// How long a companion has to leave by itself after it was told to restart.
const RESTART: Duration = Duration::from_secs(5);

/// A socket that wants to be linked.
pub(crate) struct Pairing {
    refs: Vec<String>,
    offered_ms: i64,
    pub noise: Vec<u8>,
    pub identity: Vec<u8>,
    registration: wa::client_payload::DevicePairingRegistrationData,
    /// The device it will be, once a phone has agreed.
    assigned: Option<Seat>,
    /// Linking by a code that a person types, if it asked for one.
    pub code: Option<CodeFlow>,
}

/// Offers references to a client that has no account yet.
pub(crate) fn offer(
    turn: &mut Turn<'_>,
    conn: ConnId,
    registration: &wa::client_payload::DevicePairingRegistrationData,
    noise: &[u8],
) -> Result<()> {
    let identity = registration.e_ident.clone().filter(|key| key.len() == 32);
    let identity = identity.ok_or_else(|| protocol("a registration without identity"))?;
    let mut rng = rng();
    let refs: Vec<String> = (0..turn.world.settings.qr_seconds.len())
        .map(|_| {
            let mut random = [0; 24];
            rng.fill_bytes(&mut random);
            format!("2@{}", STANDARD.encode(random))
        })
        .collect();
    let children: Vec<Node> = refs.iter().map(|r| leaf("ref", r.as_bytes())).collect();
    let offer = NodeBuilder::new("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", format!("pair-{conn}"))
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(children).build()])
        .build();
    let pairing = Pairing {
        refs,
        offered_ms: turn.now,
        noise: noise.to_vec(),
        identity,
        registration: registration.clone(),
        assigned: None,
        code: None,
    };
    turn.live.pairing.insert(conn, pairing);
    turn.send(conn, offer)
}

/// A phone scans a QR text: `ref,noise,identity,secret[,…]`, perhaps behind a link.
pub(crate) fn scan(turn: &mut Turn<'_>, text: &str, phone: u64) -> Result<Seat> {
    let unreadable = || Error::Refused("this is not the text of a WhatsApp linking code".into());
    let body = text.trim().rsplit('#').next().unwrap_or_default();
    let mut fields = body.split(',');
    let (Some(reference), Some(_), Some(identity), Some(secret)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(unreadable());
    };
    let identity = STANDARD.decode(identity).map_err(|_| unreadable())?;
    let secret = STANDARD.decode(secret).map_err(|_| unreadable())?;

    let gone = || {
        Error::NotFound("no socket waits with this code: it was used, replaced, or its client left".into())
    };
    let offered = turn.live.pairing.iter().find_map(|(conn, pairing)| {
        let place = pairing.refs.iter().position(|r| r == reference)?;
        Some((*conn, place, pairing.offered_ms, pairing.identity == identity))
    });
    let (conn, place, offered_ms, same) = offered.ok_or_else(gone)?;
    if !same {
        return Err(Error::Refused("the code names another identity than the client registered".into()));
    }
    let lifetime: u64 = turn.world.settings.qr_seconds.iter().take(place + 1).sum();
    if turn.now - offered_ms > i64::try_from(lifetime * 1000).unwrap_or(i64::MAX) {
        return Err(Error::Refused("this code has expired; scan the one the client shows now".into()));
    }
    agree(turn, conn, phone, &secret)
}

/// The phone agrees: it signs the companion's identity and gives it a number.
pub(crate) fn agree(turn: &mut Turn<'_>, conn: ConnId, phone: u64, adv_secret: &[u8]) -> Result<Seat> {
    let account = accounts::open(turn.db, phone)?;
    let device = accounts::next_device(turn.db, phone)?;
    let seat = Seat { phone, device };
    let pairing =
        turn.live.pairing.get_mut(&conn).ok_or_else(|| Error::NotFound("the client left".into()))?;
    pairing.assigned = Some(seat);

    let details = wa::ADVDeviceIdentity {
        raw_id: Some(accounts::raw_id(phone)),
        timestamp: Some((turn.now / 1000).unsigned_abs()),
        key_index: Some(u32::from(device)),
        ..Default::default()
    }
    .encode_to_vec();
    let message = [&[6, 0], details.as_slice(), &pairing.identity].concat();
    let signature = account.identity.calculate_signature(&message, &mut rng()).map_err(signal)?;
    let signed = wa::ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(public(&account.identity)),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(adv_secret).map_err(signal)?;
    mac.update(&signed);
    let sealed = wa::ADVSignedDeviceIdentityHMAC {
        details: Some(signed),
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let (pn, lid) = (account.person.jid(device, Addressing::Pn), account.person.jid(device, Addressing::Lid));
    let success = NodeBuilder::new("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", format!("paired-{conn}"))
        .attr("xmlns", "md")
        .attr("t", turn.t())
        .children([NodeBuilder::new("pair-success")
            .children([
                leaf("device-identity", sealed),
                NodeBuilder::new("device").attr("jid", pn).attr("lid", lid).build(),
                NodeBuilder::new("platform").attr("name", "android").build(),
            ])
            .build()])
        .build();
    turn.note(conn, Some(seat), "pair.agreed", None)?;
    turn.send(conn, success)?;
    Ok(seat)
}

/// The companion has countersigned: it is linked, and told to come back as what it is now.
pub(crate) fn on_signed(turn: &mut Turn<'_>, conn: ConnId, sign: &Node) -> Result<()> {
    let pairing = turn.live.pairing.remove(&conn).ok_or_else(|| protocol("nothing to sign"))?;
    let seat = pairing.assigned.ok_or_else(|| protocol("no phone has agreed"))?;
    let signed_identity = sign.get_optional_child("device-identity").map(bytes).unwrap_or_default();
    check_signature(turn, seat, &pairing.identity, &signed_identity)?;

    let r = pairing.registration;
    let missing = || protocol("a registration without its signed pre-key");
    let props = r.device_props.as_deref().and_then(|b| wa::DeviceProps::decode_from_slice(b).ok());
    let new = Companion {
        noise: pairing.noise,
        registration: r.e_regid.unwrap_or_default(),
        identity: pairing.identity,
        skey_id: r.e_skey_id.ok_or_else(missing)?,
        skey: r.e_skey_val.ok_or_else(missing)?,
        skey_signature: r.e_skey_sig.ok_or_else(missing)?,
        signed_identity,
        platform: props.and_then(|p| p.os).unwrap_or_default().chars().take(40).collect(),
    };
    accounts::add_companion(turn.db, seat, &new, turn.now)?;
    turn.note(conn, Some(seat), "paired", Some(&new.platform))?;
    turn.send(conn, crate::login::stream_error(515))?;
    turn.later(RESTART, conn, |turn, conn| {
        turn.end(conn, Out::Close(1000));
        Ok(())
    });
    crate::usync::device_added(turn, seat)
}

/// A companion signs `06 01 ‖ details ‖ its identity ‖ the account's key` (ADV).
fn check_signature(turn: &Turn<'_>, seat: Seat, identity: &[u8], signed: &[u8]) -> Result<()> {
    let signed = wa::ADVSignedDeviceIdentity::decode_from_slice(signed).map_err(protocol)?;
    let details = signed.details.ok_or_else(|| protocol("an identity without details"))?;
    let signature =
        signed.device_signature.ok_or_else(|| protocol("an identity the device has not signed"))?;
    let account = accounts::open(turn.db, seat.phone)?;
    let message = [&[6, 1], details.as_slice(), identity, &public(&account.identity)].concat();
    let key = PublicKey::from_djb_public_key_bytes(identity).map_err(signal)?;
    if key.verify_signature(&message, &signature) {
        Ok(())
    } else {
        Err(protocol("the device's signature of its identity is wrong"))
    }
}
