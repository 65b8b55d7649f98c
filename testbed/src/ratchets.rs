//! A phone's Signal state. What an operation may touch is read before it and written after it, in the same turn, so
//! that a ratchet never goes back.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use rusqlite::{Connection, OptionalExtension, params};
use wacore::libsignal::protocol::error::Result as SignalResult;
use wacore::libsignal::protocol::{
    Direction, GenericSignedPreKey as _, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore,
    PreKeyId, PreKeyRecord, PreKeyStore, ProtocolAddress, SenderKeyName, SenderKeyRecord, SenderKeyStore,
    SessionRecord, SessionStore, SignalProtocolError, SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore,
};

use crate::accounts::Account;
use crate::error::{Result, signal};
use crate::seat::Seat;

/// Sessions by address.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<String, SessionRecord>);

/// The phone's identity. It trusts every other on sight: the testbed tests no trust.
pub(crate) struct Identities {
    own: IdentityKeyPair,
    registration: u32,
}

/// One-time pre-keys that a message named.
#[derive(Default)]
pub(crate) struct PreKeys(HashMap<u32, PreKeyRecord>);

/// The signed pre-key.
pub(crate) struct SignedPreKeys(SignedPreKeyRecord);

/// Sender keys by group and author.
#[derive(Default)]
pub(crate) struct SenderKeys(HashMap<String, SenderKeyRecord>);

/// Everything one operation of a phone works on.
pub(crate) struct Ratchets {
    phone: u64,
    pub sessions: Sessions,
    pub identities: Identities,
    pub prekeys: PreKeys,
    pub signed_prekeys: SignedPreKeys,
    pub sender_keys: SenderKeys,
}

/// The Signal address of a device, the same whichever name a stanza used.
pub(crate) fn address(seat: Seat) -> ProtocolAddress {
    ProtocolAddress::new(&seat.phone.to_string(), u32::from(seat.device).into())
}

/// The name of a sender key.
pub(crate) fn sender_key_name(group: &str, author: Seat) -> SenderKeyName {
    SenderKeyName::from_parts(group, &author.to_string())
}

/// Runs a step of libsignal. Its stores are in memory here, so it never waits.
pub(crate) fn now<T>(step: impl Future<Output = T>) -> T {
    step.now_or_never().expect("the stores are in memory: no step waits")
}

impl Ratchets {
    /// An account's ratchets, none of them read yet.
    pub fn of(account: &Account) -> Self {
        let identity = IdentityKey::new(account.identity.public_key);
        Self {
            phone: account.person.phone,
            sessions: Sessions::default(),
            identities: Identities {
                own: IdentityKeyPair::new(identity, account.identity.private_key.clone()),
                registration: account.registration,
            },
            prekeys: PreKeys::default(),
            signed_prekeys: SignedPreKeys(account.signed_prekey.clone()),
            sender_keys: SenderKeys::default(),
        }
    }

    fn row(&self, db: &Connection, kind: &str, address: &str) -> Result<Option<Vec<u8>>> {
        let mut find =
            db.prepare_cached("SELECT record FROM ratchet WHERE phone = ? AND kind = ? AND address = ?")?;
        Ok(find.query_row(params![self.phone, kind, address], |r| r.get(0)).optional()?)
    }

    fn put(&self, db: &Connection, kind: &str, address: &str, record: &[u8]) -> Result<()> {
        db.prepare_cached("INSERT OR REPLACE INTO ratchet VALUES (?, ?, ?, ?)")?
            .execute(params![self.phone, kind, address, record])?;
        Ok(())
    }

    /// Reads the session with a device; answers whether there is one.
    pub fn read_session(&mut self, db: &Connection, seat: Seat) -> Result<bool> {
        let address = address(seat);
        if self.sessions.0.contains_key(address.as_str()) {
            return Ok(true);
        }
        let Some(record) = self.row(db, "session", address.as_str())? else { return Ok(false) };
        let record = SessionRecord::deserialize(&record).map_err(signal)?;
        self.sessions.0.insert(address.as_str().to_owned(), record);
        Ok(true)
    }

    /// Reads a one-time pre-key that a message names.
    pub fn read_prekey(&mut self, db: &Connection, id: u32) -> Result<()> {
        if let Some(record) = self.row(db, "prekey", &id.to_string())? {
            self.prekeys.0.insert(id, PreKeyRecord::deserialize(&record).map_err(signal)?);
        }
        Ok(())
    }

    /// Reads a sender key; answers whether there is one.
    pub fn read_sender_key(&mut self, db: &Connection, name: &SenderKeyName) -> Result<bool> {
        let Some(record) = self.row(db, "sender", name.cache_key())? else { return Ok(false) };
        let record = SenderKeyRecord::deserialize(&record).map_err(signal)?;
        self.sender_keys.0.insert(name.cache_key().to_owned(), record);
        Ok(true)
    }

    /// Keeps a one-time pre-key that is about to be given away.
    pub fn keep_prekey(&self, db: &Connection, id: u32, record: &PreKeyRecord) -> Result<()> {
        self.put(db, "prekey", &id.to_string(), &record.serialize().map_err(signal)?)
    }

    /// Forgets a one-time pre-key that a session was made of.
    pub fn forget_prekey(&self, db: &Connection, id: u32) -> Result<()> {
        let mut delete =
            db.prepare_cached("DELETE FROM ratchet WHERE phone = ? AND kind = 'prekey' AND address = ?")?;
        delete.execute(params![self.phone, id.to_string()])?;
        Ok(())
    }

    /// Forgets the session with a device, so that the next message makes a new one.
    pub fn forget_session(&mut self, db: &Connection, seat: Seat) -> Result<()> {
        let address = address(seat);
        self.sessions.0.remove(address.as_str());
        let mut delete =
            db.prepare_cached("DELETE FROM ratchet WHERE phone = ? AND kind = 'session' AND address = ?")?;
        delete.execute(params![self.phone, address.as_str()])?;
        Ok(())
    }

    /// Writes what the operation left.
    pub fn write(&self, db: &Connection) -> Result<()> {
        for (address, record) in &self.sessions.0 {
            self.put(db, "session", address, &record.serialize().map_err(signal)?)?;
        }
        for (name, record) in &self.sender_keys.0 {
            self.put(db, "sender", name, &record.serialize().map_err(signal)?)?;
        }
        Ok(())
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> SignalResult<Option<SessionRecord>> {
        Ok(self.0.get(address.as_str()).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> SignalResult<bool> {
        Ok(self.0.contains_key(address.as_str()))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> SignalResult<()> {
        self.0.insert(address.as_str().to_owned(), record);
        Ok(())
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> SignalResult<IdentityKeyPair> {
        Ok(self.own.clone())
    }

    async fn get_local_registration_id(&self) -> SignalResult<u32> {
        Ok(self.registration)
    }

    async fn save_identity(&mut self, _: &ProtocolAddress, _: &IdentityKey) -> SignalResult<IdentityChange> {
        Ok(IdentityChange::NewOrUnchanged)
    }

    async fn is_trusted_identity(
        &self,
        _: &ProtocolAddress,
        _: &IdentityKey,
        _: Direction,
    ) -> SignalResult<bool> {
        Ok(true)
    }

    async fn get_identity(&self, _: &ProtocolAddress) -> SignalResult<Option<IdentityKey>> {
        Ok(None)
    }
}

#[async_trait]
impl PreKeyStore for PreKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> SignalResult<PreKeyRecord> {
        self.0.get(&u32::from(id)).cloned().ok_or(SignalProtocolError::InvalidPreKeyId)
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> SignalResult<()> {
        self.0.insert(id.into(), record.clone());
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> SignalResult<()> {
        self.0.remove(&u32::from(id));
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for SignedPreKeys {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> SignalResult<SignedPreKeyRecord> {
        if self.0.id()? == id { Ok(self.0.clone()) } else { Err(SignalProtocolError::InvalidSignedPreKeyId) }
    }

    async fn save_signed_pre_key(
        &mut self,
        _: SignedPreKeyId,
        record: &SignedPreKeyRecord,
    ) -> SignalResult<()> {
        self.0 = record.clone();
        Ok(())
    }
}

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(&mut self, name: &SenderKeyName, record: SenderKeyRecord) -> SignalResult<()> {
        self.0.insert(name.cache_key().to_owned(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> SignalResult<Option<SenderKeyRecord>> {
        Ok(self.0.get(name.cache_key()).cloned())
    }
}
