//! Sealing and opening for a phone: between the Signal state in the database and the parts of a stanza.

use buffa::Message as _;
use rand::Rng as _;
use rusqlite::Connection;
use wacore::libsignal::protocol::{
    CiphertextMessage, CiphertextMessageType, GenericSignedPreKey as _, IdentityKey, KeyPair, PreKeyBundle,
    PreKeyRecord, PreKeySignalMessage, PublicKey, SenderKeyDistributionMessage, SignalMessage,
    SignalProtocolError, UsePQRatchet, create_sender_key_distribution_message, group_decrypt, group_encrypt,
    message_decrypt, message_encrypt, process_prekey_bundle, process_sender_key_distribution_message,
};
use wacore::messages::MessageUtils;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::accounts::{Account, public, rng};
use crate::error::{Result, signal};
use crate::keys::{self, Bundle};
use crate::ratchets::{Ratchets, address, now, sender_key_name};
use crate::seat::Seat;
use crate::stanza::{attr, bytes};
use crate::world::Turn;

/// A phone's bundle with a fresh one-time pre-key.
pub(crate) fn own_bundle(db: &Connection, account: &Account) -> Result<Bundle> {
    let pair = KeyPair::generate(&mut rng());
    let id = rng().next_u32() % 0x00ff_fffe + 1;
    Ratchets::of(account).keep_prekey(db, id, &PreKeyRecord::new(id.into(), &pair))?;
    let signed = &account.signed_prekey;
    let skey = signed.public_key().map_err(signal)?;
    Ok(Bundle {
        registration: account.registration.to_be_bytes().to_vec(),
        identity: public(&account.identity),
        skey_id: u32::from(signed.id().map_err(signal)?).to_be_bytes()[1..].to_vec(),
        skey: skey.public_key_bytes().to_vec(),
        skey_signature: signed.signature().map_err(signal)?.clone(),
        once: Some((id, public(&pair))),
        signed_identity: None,
    })
}

/// Seals a message for one device. `None` if there is no such device.
pub(crate) fn seal(
    turn: &mut Turn<'_>,
    account: &Account,
    seat: Seat,
    message: &wa::Message,
) -> Result<Option<Node>> {
    let mut ratchets = Ratchets::of(account);
    if !ratchets.read_session(turn.db, seat)? {
        let Some(bundle) = keys::take(turn, seat)? else { return Ok(None) };
        begin_in(&mut ratchets, seat, &bundle)?;
    }
    let padded = MessageUtils::pad_message_v2(message.encode_to_vec());
    let sealed =
        now(message_encrypt(&padded, &address(seat), &mut ratchets.sessions, &mut ratchets.identities))
            .map_err(signal)?;
    ratchets.write(turn.db)?;
    let kind = if sealed.message_type() == CiphertextMessageType::PreKey { "pkmsg" } else { "msg" };
    Ok(Some(enc(kind, sealed.serialize())))
}

fn enc(kind: &'static str, sealed: &[u8]) -> Node {
    NodeBuilder::new("enc").attr("v", "2").attr("type", kind).bytes(sealed).build()
}

/// Begins a session with a device from its bundle.
pub(crate) fn begin(db: &Connection, account: &Account, seat: Seat, bundle: &Bundle) -> Result<()> {
    let mut ratchets = Ratchets::of(account);
    begin_in(&mut ratchets, seat, bundle)?;
    ratchets.write(db)
}

fn begin_in(ratchets: &mut Ratchets, seat: Seat, bundle: &Bundle) -> Result<()> {
    let key = |bytes: &[u8]| PublicKey::from_djb_public_key_bytes(bytes).map_err(signal);
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let once = match &bundle.once {
        Some((id, public)) => Some(((*id).into(), key(public)?)),
        None => None,
    };
    let bundle = PreKeyBundle::new(
        number(&bundle.registration),
        u32::from(seat.device).into(),
        once,
        number(&bundle.skey_id).into(),
        key(&bundle.skey)?,
        bundle.skey_signature.clone(),
        IdentityKey::new(key(&bundle.identity)?),
    )
    .map_err(signal)?;
    let (sessions, identities) = (&mut ratchets.sessions, &mut ratchets.identities);
    let (address, mut rng) = (address(seat), rng());
    let begun = process_prekey_bundle(&address, sessions, identities, &bundle, &mut rng, UsePQRatchet::No);
    now(begun).map_err(signal)?;
    Ok(())
}

/// Seals a message for a group by the phone's sender key, and the message that gives that key away.
pub(crate) fn seal_for_group(
    db: &Connection,
    account: &Account,
    group: &str,
    message: &wa::Message,
) -> Result<(wa::Message, Node)> {
    let mut ratchets = Ratchets::of(account);
    let name = sender_key_name(group, Seat::phone(account.person.phone));
    ratchets.read_sender_key(db, &name)?;
    let keys = &mut ratchets.sender_keys;
    let distribution =
        now(create_sender_key_distribution_message(&name, keys, &mut rng())).map_err(signal)?;
    let padded = MessageUtils::pad_message_v2(message.encode_to_vec());
    let sealed = now(group_encrypt(keys, &name, &padded, &mut rng())).map_err(signal)?;
    ratchets.write(db)?;
    let key = wa::message::SenderKeyDistributionMessage {
        group_id: Some(group.to_owned()),
        axolotl_sender_key_distribution_message: Some(distribution.serialized().to_vec()),
    };
    let distribution =
        wa::Message { sender_key_distribution_message: buffa::MessageField::some(key), ..Default::default() };
    Ok((distribution, enc("skmsg", sealed.serialized())))
}

/// What came of a message for a phone.
pub(crate) enum Opened {
    /// Its parts.
    Messages(Vec<wa::Message>),
    /// It was opened before.
    Again,
    /// It does not open, and why.
    Unreadable(String),
}

/// Opens the parts of a message.
pub(crate) fn open(
    db: &Connection,
    account: &Account,
    from: Seat,
    group: Option<&str>,
    node: &Node,
) -> Result<Opened> {
    let mut messages = Vec::new();
    for part in node.get_children_by_tag("enc") {
        let plain = match open_part(db, account, from, group, part) {
            Ok(plain) => plain,
            Err(PartError::Again) => return Ok(Opened::Again),
            Err(PartError::Unreadable(why)) => return Ok(Opened::Unreadable(why)),
            Err(PartError::Broken(error)) => return Err(error),
        };
        let version = attr(part, "v").and_then(|v| v.parse().ok()).unwrap_or(2);
        let Ok(body) = MessageUtils::unpad_message_ref(&plain, version) else {
            return Ok(Opened::Unreadable("bad padding".into()));
        };
        match wa::Message::decode_from_slice(body) {
            Ok(message) => {
                learn_sender_key(db, account, from, group, &message)?;
                messages.push(message);
            }
            Err(error) => return Ok(Opened::Unreadable(error.to_string())),
        }
    }
    Ok(Opened::Messages(messages))
}

enum PartError {
    Again,
    Unreadable(String),
    Broken(crate::error::Error),
}

impl From<crate::error::Error> for PartError {
    fn from(error: crate::error::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<SignalProtocolError> for PartError {
    fn from(error: SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::DuplicatedMessage(..) => Self::Again,
            other => Self::Unreadable(other.to_string()),
        }
    }
}

fn open_part(
    db: &Connection,
    account: &Account,
    from: Seat,
    group: Option<&str>,
    part: &Node,
) -> std::result::Result<Vec<u8>, PartError> {
    let sealed = bytes(part);
    let mut ratchets = Ratchets::of(account);
    let kind = attr(part, "type").unwrap_or_default();
    if kind == "skmsg" {
        let name = sender_key_name(group.unwrap_or_default(), from);
        ratchets.read_sender_key(db, &name)?;
        let plain = now(group_decrypt(&sealed, &mut ratchets.sender_keys, &name))?;
        ratchets.write(db)?;
        return Ok(plain);
    }
    ratchets.read_session(db, from)?;
    let message = if kind == "pkmsg" {
        let message = PreKeySignalMessage::try_from(sealed.as_slice())?;
        if let Some(id) = message.pre_key_id() {
            ratchets.read_prekey(db, id.into())?;
        }
        CiphertextMessage::PreKeySignalMessage(message)
    } else {
        CiphertextMessage::SignalMessage(SignalMessage::try_from(sealed.as_slice())?)
    };
    let Ratchets { sessions, identities, prekeys, signed_prekeys, .. } = &mut ratchets;
    let opened = now(message_decrypt(
        &message,
        &address(from),
        sessions,
        identities,
        prekeys,
        &*signed_prekeys,
        &mut rng(),
        UsePQRatchet::No,
    ))?;
    ratchets.write(db)?;
    if let Some(id) = opened.consumed_prekey_id {
        ratchets.forget_prekey(db, id.into())?;
    }
    Ok(opened.plaintext)
}

fn learn_sender_key(
    db: &Connection,
    account: &Account,
    from: Seat,
    group: Option<&str>,
    message: &wa::Message,
) -> Result<()> {
    let Some(key) = message.sender_key_distribution_message.as_option() else { return Ok(()) };
    let (Some(group), Some(bytes)) = (group, &key.axolotl_sender_key_distribution_message) else {
        return Ok(());
    };
    let Ok(distribution) = SenderKeyDistributionMessage::try_from(bytes.as_slice()) else { return Ok(()) };
    let mut ratchets = Ratchets::of(account);
    let name = sender_key_name(group, from);
    ratchets.read_sender_key(db, &name)?;
    let learned = process_sender_key_distribution_message(&name, &distribution, &mut ratchets.sender_keys);
    now(learned).map_err(signal)?;
    ratchets.write(db)
}
