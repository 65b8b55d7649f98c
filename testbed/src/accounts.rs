//! Accounts and their companions.

use buffa::Message as _;
use rand::Rng as _;
use rusqlite::{Connection, OptionalExtension, params};
use wacore::libsignal::protocol::{
    GenericSignedPreKey, KeyPair, PrivateKey, PublicKey, SignedPreKeyRecord, Timestamp,
};
use wacore_binary::Jid;
use waproto::whatsapp as wa;

use crate::error::{Error, Result, signal};
use crate::seat::{Person, Seat};

/// A source of randomness fit for keys.
pub(crate) fn rng() -> rand::rngs::StdRng {
    rand::make_rng()
}

/// The 32 bytes of a public key, without its type.
pub(crate) fn public(key: &KeyPair) -> Vec<u8> {
    key.public_key.public_key_bytes().to_vec()
}

/// An account as its phone knows it.
pub(crate) struct Account {
    pub person: Person,
    pub identity: KeyPair,
    pub registration: u32,
    pub signed_prekey: SignedPreKeyRecord,
    /// The key of the account's app state, which companions get from the phone.
    pub app_key: Vec<u8>,
}

/// A companion as it registered.
pub(crate) struct Companion {
    pub noise: Vec<u8>,
    pub registration: Vec<u8>,
    pub identity: Vec<u8>,
    pub skey_id: Vec<u8>,
    pub skey: Vec<u8>,
    pub skey_signature: Vec<u8>,
    pub signed_identity: Vec<u8>,
    pub platform: String,
}

/// Makes an account with a phone.
pub(crate) fn create(db: &Connection, phone: u64, name: &str, now_ms: i64) -> Result<Person> {
    if !(1_000_000..1_000_000_000_000_000).contains(&phone) {
        return Err(Error::Refused(format!(
            "{phone} is no phone number: 7 to 15 digits, with the country code"
        )));
    }
    if person(db, phone)?.is_some() {
        return Err(Error::Refused(format!("{phone} has an account already")));
    }
    let mut lid = 100_000_000_000_000 + phone % 100_000_000_000_000;
    while by_lid(db, lid)?.is_some() || lid == phone {
        lid += 1;
    }
    let mut rng = rng();
    let identity = KeyPair::generate(&mut rng);
    let signed = KeyPair::generate(&mut rng);
    let signature = identity.calculate_signature(&signed.public_key.serialize(), &mut rng).map_err(signal)?;
    let stamp = Timestamp::from_epoch_millis(now_ms.unsigned_abs());
    let record = SignedPreKeyRecord::new(1.into(), stamp, &signed, &signature);
    let mut app_key = [0; 32];
    rng.fill_bytes(&mut app_key);
    let registration = rng.next_u32() % 16_380 + 1;
    db.prepare_cached("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)")?.execute(params![
        phone,
        lid,
        name,
        identity.private_key.serialize(),
        public(&identity),
        registration,
        record.serialize().map_err(signal)?,
        app_key
    ])?;
    Ok(Person { phone, lid, name: name.to_owned() })
}

/// The account of a number, as others see it.
pub(crate) fn person(db: &Connection, phone: u64) -> Result<Option<Person>> {
    let mut find = db.prepare_cached("SELECT phone, lid, name FROM account WHERE phone = ?")?;
    Ok(find
        .query_row([phone], |r| Ok(Person { phone: r.get(0)?, lid: r.get(1)?, name: r.get(2)? }))
        .optional()?)
}

fn by_lid(db: &Connection, lid: u64) -> Result<Option<Person>> {
    let mut find = db.prepare_cached("SELECT phone, lid, name FROM account WHERE lid = ?")?;
    Ok(find
        .query_row([lid], |r| Ok(Person { phone: r.get(0)?, lid: r.get(1)?, name: r.get(2)? }))
        .optional()?)
}

/// The account somebody means by a jid, if it is one of ours.
pub(crate) fn resolve(db: &Connection, jid: &Jid) -> Result<Option<Person>> {
    let Ok(user) = jid.user.parse::<u64>() else { return Ok(None) };
    if jid.is_lid() {
        by_lid(db, user)
    } else if jid.is_pn() {
        person(db, user)
    } else {
        Ok(None)
    }
}

/// The account of a number, or the error that says how to make one.
pub(crate) fn known(db: &Connection, phone: u64) -> Result<Person> {
    let missing = || Error::NotFound(format!("{phone} has no account; make one by POST /admin/accounts"));
    person(db, phone)?.ok_or_else(missing)
}

/// Everything of an account, for its phone.
pub(crate) fn open(db: &Connection, phone: u64) -> Result<Account> {
    let person = known(db, phone)?;
    let mut find = db.prepare_cached(
        "SELECT private, public, registration, signed_prekey, app_key FROM account WHERE phone = ?",
    )?;
    let (private, public, registration, record, app_key): (Vec<u8>, Vec<u8>, u32, Vec<u8>, Vec<u8>) =
        find.query_row([phone], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?;
    let identity = KeyPair::new(
        PublicKey::from_djb_public_key_bytes(&public).map_err(signal)?,
        PrivateKey::deserialize(&private).map_err(signal)?,
    );
    let signed_prekey = SignedPreKeyRecord::deserialize(&record).map_err(signal)?;
    Ok(Account { person, identity, registration, signed_prekey, app_key })
}

/// Every account, by number.
pub(crate) fn all(db: &Connection) -> Result<Vec<Person>> {
    let mut list = db.prepare_cached("SELECT phone, lid, name FROM account ORDER BY phone")?;
    let rows = list.query_map([], |r| Ok(Person { phone: r.get(0)?, lid: r.get(1)?, name: r.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The companions of an account.
pub(crate) fn companions(db: &Connection, phone: u64) -> Result<Vec<u16>> {
    let mut list = db.prepare_cached("SELECT device FROM device WHERE phone = ? ORDER BY device")?;
    Ok(list.query_map([phone], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The next number for a companion. It is never given twice.
pub(crate) fn next_device(db: &Connection, phone: u64) -> Result<u16> {
    let mut take = db.prepare_cached(
        "UPDATE account SET next_device = next_device + 1 WHERE phone = ? RETURNING next_device - 1",
    )?;
    Ok(take.query_row([phone], |r| r.get(0))?)
}

/// A companion, if it is still paired.
pub(crate) fn companion(db: &Connection, seat: Seat) -> Result<Option<Companion>> {
    let mut find = db.prepare_cached(
        "SELECT noise, registration, identity, skey_id, skey, skey_signature, signed_identity, platform
         FROM device WHERE phone = ? AND device = ?",
    )?;
    let row = find.query_row(params![seat.phone, seat.device], |r| {
        Ok(Companion {
            noise: r.get(0)?,
            registration: r.get(1)?,
            identity: r.get(2)?,
            skey_id: r.get(3)?,
            skey: r.get(4)?,
            skey_signature: r.get(5)?,
            signed_identity: r.get(6)?,
            platform: r.get(7)?,
        })
    });
    Ok(row.optional()?)
}

/// Adds a companion that has signed its identity.
pub(crate) fn add_companion(db: &Connection, seat: Seat, new: &Companion, now_ms: i64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)")?.execute(
        params![
            seat.phone,
            seat.device,
            new.noise,
            new.registration,
            new.identity,
            new.skey_id,
            new.skey,
            new.skey_signature,
            new.signed_identity,
            new.platform,
            now_ms
        ],
    )?;
    Ok(())
}

/// Forgets a companion with its keys and what waits for it.
pub(crate) fn remove_companion(db: &Connection, seat: Seat) -> Result<()> {
    for table in ["device", "prekey", "pending"] {
        let mut delete = db.prepare_cached(&format!("DELETE FROM {table} WHERE phone = ? AND device = ?"))?;
        delete.execute(params![seat.phone, seat.device])?;
    }
    Ok(())
}

/// Whether the phone has shared its app-state key with the companion; answers once with false.
pub(crate) fn greet(db: &Connection, seat: Seat) -> Result<bool> {
    let mut mark =
        db.prepare_cached("UPDATE device SET greeted = 1 WHERE phone = ? AND device = ? AND greeted = 0")?;
    Ok(mark.execute(params![seat.phone, seat.device])? == 0)
}

/// The list of valid companions as the phone signs it (ADV, prefix 06 02).
pub(crate) fn signed_key_index_list(account: &Account, devices: &[u16], now_s: i64) -> Result<Vec<u8>> {
    let valid: Vec<u32> = std::iter::once(0).chain(devices.iter().map(|d| u32::from(*d))).collect();
    let details = wa::ADVKeyIndexList {
        raw_id: Some(raw_id(account.person.phone)),
        timestamp: Some(now_s.unsigned_abs()),
        current_index: valid.iter().copied().max(),
        valid_indexes: valid,
        ..Default::default()
    }
    .encode_to_vec();
    let signed = [&[6, 2], details.as_slice()].concat();
    let signature = account.identity.calculate_signature(&signed, &mut rng()).map_err(signal)?;
    let list = wa::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    };
    Ok(list.encode_to_vec())
}

/// The account's number in ADV lists: 32 bits of its phone number.
pub(crate) fn raw_id(phone: u64) -> u32 {
    u32::try_from(phone & u64::from(u32::MAX)).expect("masked to 32 bits")
}
