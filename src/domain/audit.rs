//! What operators did: an append-only list in which each entry carries a hash over itself and the hash of the one
//! before. Whoever changes, removes, inserts or moves an entry breaks every hash behind it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use strum::{Display, EnumIter, EnumString, IntoEnumIterator as _, IntoStaticStr};
use thiserror::Error;

use super::id::{OperatorId, TenantId};
use super::operator::ROOT;
use super::time::WallTime;

/// What the canonical bytes of every entry begin with: another format is another word.
const FORMAT: &[u8] = b"columba.audit.1";
/// The same for an entry that is a tenant's business, which it also names.
const FORMAT_OF_TENANT: &[u8] = b"columba.audit.2";

/// Name of the actor behind what the server does by itself, such as adding the first plans.
pub const SYSTEM: &str = "system";

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The operator; `None` is the server itself, or a tenant's key, whose id is its name.
    pub id: Option<OperatorId>,
    /// What they are called.
    pub name: String,
    /// Address of the connection the request came over.
    pub address: Option<IpAddr>,
    /// Id of the request.
    pub request_id: Option<String>,
}

impl Actor {
    /// The server itself.
    pub fn system() -> Self {
        Self { id: None, name: SYSTEM.to_owned(), address: None, request_id: None }
    }

    /// The operator whose token lies in the data directory, at no request.
    pub fn root() -> Self {
        Self { id: Some(OperatorId::ROOT), name: ROOT.to_owned(), ..Self::system() }
    }
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, EnumIter, IntoStaticStr)]
#[expect(missing_docs, reason = "each variant is its word")]
pub enum Action {
    #[strum(serialize = "tenant.create")]
    TenantCreate,
    #[strum(serialize = "tenant.update")]
    TenantUpdate,
    #[strum(serialize = "tenant.suspend")]
    TenantSuspend,
    #[strum(serialize = "tenant.resume")]
    TenantResume,
    #[strum(serialize = "tenant.delete")]
    TenantDelete,
    #[strum(serialize = "plan.create")]
    PlanCreate,
    #[strum(serialize = "plan.replace")]
    PlanReplace,
    #[strum(serialize = "plan.delete")]
    PlanDelete,
    #[strum(serialize = "key.create")]
    KeyCreate,
    #[strum(serialize = "key.rotate")]
    KeyRotate,
    #[strum(serialize = "key.revoke")]
    KeyRevoke,
    #[strum(serialize = "operator.create")]
    OperatorCreate,
    #[strum(serialize = "operator.update")]
    OperatorUpdate,
    #[strum(serialize = "operator.delete")]
    OperatorDelete,
    /// Somebody was asked in, for the first time or anew.
    #[strum(serialize = "operator.invite")]
    OperatorInvite,
    /// They came and chose a password.
    #[strum(serialize = "operator.welcome")]
    OperatorWelcome,
    #[strum(serialize = "operator.sign_in")]
    OperatorSignIn,
    #[strum(serialize = "operator.sign_out")]
    OperatorSignOut,
    /// They gave their password anew.
    #[strum(serialize = "operator.step_up")]
    OperatorStepUp,
    #[strum(serialize = "operator.password")]
    OperatorPassword,
    #[strum(serialize = "operator.second_factor")]
    OperatorSecondFactor,
    /// An operator looks at what a tenant's people wrote, for a reason.
    #[strum(serialize = "look.open")]
    LookOpen,
    #[strum(serialize = "look.end")]
    LookEnd,
    /// An operator asks for something on a tenant's behalf. Written before it is done.
    #[strum(serialize = "tenant.on_behalf")]
    OnBehalf,
    #[strum(serialize = "subscription.change")]
    SubscriptionChange,
    #[strum(serialize = "subscription.end")]
    SubscriptionEnd,
    #[strum(serialize = "subscription.reactivate")]
    SubscriptionReactivate,
    #[strum(serialize = "billing.profile")]
    BillingProfile,
    #[strum(serialize = "invoice.pay")]
    InvoicePay,
    #[strum(serialize = "invoice.credit")]
    InvoiceCredit,
    #[strum(serialize = "invoice.void")]
    InvoiceVoid,
    #[strum(serialize = "invoice.write_off")]
    InvoiceWriteOff,
    #[strum(serialize = "ledger.adjust")]
    LedgerAdjust,
    /// The store began anew from a backup.
    #[strum(serialize = "store.restore")]
    StoreRestore,
    /// A tenant asked for a code that links a phone: whoever types it gives the account away.
    #[strum(serialize = "session.pairing_code")]
    PairingCode,
    /// A session's proxy was set, replaced or taken away.
    #[strum(serialize = "session.proxy")]
    SessionProxy,
    /// A tenant made a link with which whoever has it may link a phone.
    #[strum(serialize = "session.pairing_link")]
    PairingLink,
    /// Somebody used such a link.
    #[strum(serialize = "session.pairing_link_used")]
    PairingLinkUsed,
    /// Somebody who was sent such a link says that they did not ask for it.
    #[strum(serialize = "session.pairing_link_reported")]
    PairingLinkReported,
    /// A backup of the store was made.
    #[strum(serialize = "store.backup")]
    StoreBackup,
    /// A known operator asked for what their role or their token does not allow (any more).
    #[strum(serialize = "call.refused")]
    CallRefused,
}

impl JsonSchema for Action {
    fn schema_name() -> Cow<'static, str> {
        "AuditAction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Self::iter().map(Into::into).collect();
        json_schema!({"type": "string", "description": "What was done.", "enum": words})
    }
}

/// What was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditSubject")]
pub struct Subject {
    /// `tenant`, `plan`, `key`, `operator`, `session`, `subscription`, `invoice`, `look`, `call` or `store`.
    pub kind: String,
    /// Its id, the code of a plan, method and path of a call, or when the backup of a store was taken.
    pub id: String,
}

/// One action, before it has its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What was done.
    pub action: Action,
    /// On what.
    pub subject: Subject,
    /// Whose business it is besides the operators'.
    pub tenant: Option<TenantId>,
    /// How the subject was, as JSON, without secrets; `None` when it is new.
    pub before: Option<String>,
    /// How it is now; `None` when nothing is left.
    pub after: Option<String>,
}

impl Act {
    /// An action on the subject `id`, with nothing said about how it was or is.
    pub fn new(action: Action, kind: &str, id: impl fmt::Display) -> Self {
        let subject = Subject { kind: kind.to_owned(), id: id.to_string() };
        Self { action, subject, tenant: None, before: None, after: None }
    }

    /// It is this tenant's business too: they find it in their own audit.
    pub fn of(self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// How the subject was.
    pub fn before(mut self, record: &impl Serialize) -> Self {
        self.before = Some(json(record));
        self
    }

    /// How it is now.
    pub fn after(mut self, record: &impl Serialize) -> Self {
        self.after = Some(json(record));
        self
    }
}

fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records have text for keys and no number that is not one")
}

/// A hash in the chain. In text: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainHash(pub [u8; 32]);

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl JsonSchema for ChainHash {
    fn schema_name() -> Cow<'static, str> {
        "ChainHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "description": "A SHA-256 in the chain of the audit.", "pattern": "^[0-9a-f]{64}$",
        })
    }
}

/// Text that is no hash or head of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected the head of an audit log as `columba audit verify` prints it: NUMBER:HASH, the hash of 64 hex digits"
)]
pub struct NotAHead;

impl FromStr for ChainHash {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAHead)?;
        Ok(Self(bytes))
    }
}

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The end of the list: number and hash of the last entry, 0 and zeros when there is none. In text: `NUMBER:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditHead")]
pub struct Head {
    /// Number of the last entry.
    pub seq: u64,
    /// Its hash.
    pub hash: ChainHash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, hash) = text.split_once(':').ok_or(NotAHead)?;
        Ok(Self { seq: seq.parse().map_err(|_| NotAHead)?, hash: hash.parse()? })
    }
}

/// Who acted, as it was written down. Text, so that whatever stands in a row can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditActor")]
pub struct Who {
    /// Id of the operator; `None` is the server itself.
    pub id: Option<String>,
    /// What they were called.
    pub name: String,
}

/// One entry. Its JSON keeps `before` and `after` to the byte, so that whoever reads it can check the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Entry {
    /// Its number: 1, 2, 3 without gaps.
    pub seq: u64,
    /// When, by the clock of the machine.
    pub at: WallTime,
    /// Who.
    pub actor: Who,
    /// What: a word of [`Action`].
    #[schemars(description = "What was done, such as `key.create`.")]
    pub action: String,
    /// On what.
    pub subject: Subject,
    /// How it was, as JSON.
    #[serde(serialize_with = "verbatim", deserialize_with = "raw")]
    #[schemars(schema_with = "as_it_was")]
    pub before: Option<String>,
    /// How it was then, as JSON.
    #[serde(serialize_with = "verbatim", deserialize_with = "raw")]
    #[schemars(schema_with = "as_it_was")]
    pub after: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// The tenant whose business it is, if it is one's.
    #[serde(default)]
    pub tenant: Option<String>,
    /// SHA-256 of the hash before and the canonical bytes of this entry.
    pub hash: ChainHash,
}

/// A row that somebody spoiled may hold no JSON; then it is shown as the text it is.
fn verbatim<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(text) = text else { return serializer.serialize_none() };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

/// A record, or the text of a row that somebody spoiled.
fn as_it_was(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["object", "string", "null"]})
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(value.map(|value| value.get().to_owned()))
}

impl Entry {
    /// The entry that follows `head`.
    pub fn following(head: Head, by: &Actor, act: Act, at: WallTime) -> Self {
        let mut entry = Self {
            seq: head.seq + 1,
            at,
            actor: Who { id: by.id.map(|id| id.to_string()), name: by.name.clone() },
            action: act.action.to_string(),
            subject: act.subject,
            before: act.before,
            after: act.after,
            address: by.address.map(|address| address.to_canonical().to_string()),
            request_id: by.request_id.clone(),
            tenant: act.tenant.map(|tenant| tenant.to_string()),
            hash: ChainHash::default(),
        };
        entry.hash = entry.hash_after(head.hash);
        entry
    }

    /// What the list ends with once this entry is in it.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// `SHA-256(previous hash ‖ canonical bytes)`.
    pub fn hash_after(&self, previous: ChainHash) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(previous.0);
        hash.update(self.canonical());
        ChainHash(hash.finalize().into())
    }

    /// The format's name; number and milliseconds as 8 bytes each, big end first; then each text in the order below:
    /// a byte 1, its length as 8 bytes, its UTF-8, or a byte 0 where there is none. No two entries run into one. An entry
    /// that is a tenant's business has a format of its own, which ends with the tenant: those from before have none.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = if self.tenant.is_some() { FORMAT_OF_TENANT.to_vec() } else { FORMAT.to_vec() };
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.at.0.to_be_bytes());
        for text in [
            self.actor.id.as_deref(),
            Some(&*self.actor.name),
            Some(&*self.action),
            Some(&*self.subject.kind),
            Some(&*self.subject.id),
            self.before.as_deref(),
            self.after.as_deref(),
            self.address.as_deref(),
            self.request_id.as_deref(),
        ]
        .into_iter()
        .chain(self.tenant.as_deref().map(Some))
        {
            let Some(text) = text else {
                bytes.push(0);
                continue;
            };
            bytes.push(1);
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }
}

/// The first entry that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entry {seq}: {why}")]
pub struct Misfit {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A walk along the list, oldest entry first.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    head: Head,
    /// Heads that were seen before or kept elsewhere; the list has to pass through each of them.
    known: Vec<Head>,
}

impl Walk {
    /// A walk that has to pass through these heads.
    pub fn through(known: impl IntoIterator<Item = Head>) -> Self {
        Self { head: Head::default(), known: known.into_iter().collect() }
    }

    /// Takes the next entry.
    pub fn step(&mut self, entry: &Entry) -> Result<(), Misfit> {
        let misfit = |seq, why| Err(Misfit { seq, why });
        let due = self.head.seq + 1;
        if entry.seq > due {
            return misfit(due, "it is missing");
        }
        if entry.seq < due {
            return misfit(entry.seq, "its number is out of order");
        }
        if entry.hash != entry.hash_after(self.head.hash) {
            return misfit(due, "its hash does not fit what stands in it and before it");
        }
        self.head = entry.head();
        let elsewhere = |known: &&Head| known.seq == due && known.hash != entry.hash;
        if self.known.iter().any(|known| elsewhere(&known)) {
            return misfit(
                due,
                "it is not the entry whose hash was kept: the list was written anew up to here or beyond",
            );
        }
        Ok(())
    }

    /// Ends the walk where the list ends, `last` being what the store says is its end now.
    pub fn end(self, last: Head) -> Result<Head, Misfit> {
        let furthest = self.known.iter().chain([&last]).map(|head| head.seq).max().unwrap_or_default();
        if furthest > self.head.seq {
            return Err(Misfit {
                seq: self.head.seq + 1,
                why: "it is missing, and so is all that came after",
            });
        }
        if self.head.seq > last.seq {
            return Err(Misfit {
                seq: last.seq + 1,
                why: "no server wrote it: the store's last entry is the one before",
            });
        }
        if self.head != last {
            return Err(Misfit { seq: last.seq, why: "its hash is not the one that the store ended with" });
        }
        Ok(self.head)
    }

    /// How far it got.
    pub fn head(&self) -> Head {
        self.head
    }
}
