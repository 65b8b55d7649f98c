//! What one commit of many sessions writes: decided in memory, on the headers that stand. No IO.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::{Epoch, Lease};
use crate::domain::time::WallTime;
use crate::ports::vault::{Header, VaultError, Writer};

/// A session's row: who owns it, who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose data key seals it.
    pub tenant: TenantId,
    /// The newest owner. Every other is fenced.
    pub epoch: Epoch,
    /// Who wrote last.
    pub writer: Option<Writer>,
    /// Whether that one closed in an orderly way.
    pub clean: bool,
}

impl Head {
    /// What the port shows of it.
    pub fn header(&self) -> Header {
        Header { writer: self.writer.clone(), clean: self.clean }
    }
}

/// One change of a batch, ready to be written.
pub enum Sealed {
    /// Writes a record.
    Put {
        /// Namespace.
        kind: &'static str,
        /// Key.
        key: Vec<u8>,
        /// Value, sealed for its address.
        sealed: Vec<u8>,
        /// Gone from then on.
        expires_at: Option<WallTime>,
    },
    /// Removes a record.
    Delete {
        /// Namespace.
        kind: &'static str,
        /// Key.
        key: Vec<u8>,
    },
}

/// One call that shares its commit with others.
pub enum Shared {
    /// Fences every older owner.
    Open(Lease),
    /// Writes a batch.
    Commit(Lease, Writer, Vec<Sealed>),
    /// Marks an orderly close of what this writer wrote.
    Close(Lease, Writer),
}

impl Shared {
    /// On whose behalf.
    pub fn lease(&self) -> Lease {
        match self {
            Self::Open(lease) | Self::Commit(lease, ..) | Self::Close(lease, _) => *lease,
        }
    }
}

/// What a call is answered once the commit stands.
pub type Verdict = Result<Header, VaultError>;

/// One transaction.
pub struct Plan {
    /// `{put, delete, heads}`, the rows of the three statements.
    pub rows: serde_json::Value,
    /// Every sealed value, end to end; the rows of `put` say where each lies. It spares writing bytes as hex.
    pub sealed: Vec<u8>,
    /// Headers that change.
    pub heads: HashMap<SessionId, Head>,
    /// One per call, in their order.
    pub verdicts: Vec<Verdict>,
    /// Whether there is anything to write.
    pub writes: bool,
}

/// Puts the calls of a group together, in their order. `known` has the header of every session that has one.
pub fn plan<'a>(calls: impl IntoIterator<Item = &'a Shared>, known: &HashMap<SessionId, Head>) -> Plan {
    let mut heads: HashMap<SessionId, Head> = HashMap::new();
    let mut records = BTreeMap::new();
    let mut verdicts = vec![];
    for call in calls {
        let session = call.lease().session;
        let standing = heads.get(&session).or_else(|| known.get(&session));
        let next = next(call, standing);
        verdicts.push(next.as_ref().map(Head::header).map_err(Clone::clone));
        let Ok(head) = next else { continue };
        if let Shared::Commit(_, _, batch) = call {
            records.extend(batch.iter().map(|change| (address(session, change), change)));
        }
        if standing != Some(&head) {
            heads.insert(session, head);
        }
    }
    let writes = !heads.is_empty() || !records.is_empty();
    let (rows, sealed) = encode(&records, &heads);
    Plan { rows, sealed, heads, verdicts, writes }
}

/// The header after a call, or why it is refused.
fn next(call: &Shared, standing: Option<&Head>) -> Result<Head, VaultError> {
    let lease = call.lease();
    let Some(standing) = standing else {
        // Only opening makes a header: what was destroyed under an owner stays destroyed.
        return match call {
            Shared::Open(_) => {
                Ok(Head { tenant: lease.tenant, epoch: lease.epoch, writer: None, clean: true })
            }
            Shared::Commit(..) | Shared::Close(..) => Err(VaultError::Fenced),
        };
    };
    admit(lease, standing)?;
    let head = standing.clone();
    Ok(match call {
        Shared::Open(_) => Head { epoch: lease.epoch, ..head },
        Shared::Commit(_, writer, _) => Head { writer: Some(writer.clone()), clean: false, ..head },
        // Whoever only looked cannot vouch for what another writer left.
        Shared::Close(_, writer) if head.writer.as_ref() == Some(writer) => Head { clean: true, ..head },
        Shared::Close(..) => head,
    })
}

/// Whether an owner may act on a session.
pub fn admit(lease: Lease, standing: &Head) -> Result<(), VaultError> {
    if standing.tenant != lease.tenant {
        return Err(VaultError::Sealed);
    }
    if lease.epoch < standing.epoch { Err(VaultError::Fenced) } else { Ok(()) }
}

type Place<'a> = (SessionId, &'static str, &'a [u8]);

fn address(session: SessionId, change: &Sealed) -> Place<'_> {
    match change {
        Sealed::Put { kind, key, .. } | Sealed::Delete { kind, key } => (session, kind, key),
    }
}

/// Sorted by address, so that the file is written in the order of its pages.
fn encode(
    records: &BTreeMap<Place<'_>, &Sealed>,
    heads: &HashMap<SessionId, Head>,
) -> (serde_json::Value, Vec<u8>) {
    let (mut puts, mut deletes, mut bytes) = (vec![], vec![], vec![]);
    for ((session, kind, key), change) in records {
        match change {
            Sealed::Put { sealed, expires_at, .. } => {
                let from = bytes.len() + 1;
                bytes.extend_from_slice(sealed);
                let expires_at = expires_at.map(|at| at.0);
                puts.push(json!([hex_id(*session), kind, hex::encode(key), from, sealed.len(), expires_at]));
            }
            Sealed::Delete { .. } => deletes.push(json!([hex_id(*session), kind, hex::encode(key)])),
        }
    }
    let heads: Vec<_> = heads
        .iter()
        .map(|(session, head)| {
            let writer = head.writer.as_ref().map(|writer| json!(writer).to_string());
            json!([
                hex_id(*session),
                head.tenant.uuid().simple().to_string(),
                head.epoch.0,
                writer,
                head.clean
            ])
        })
        .collect();
    (json!({ "put": puts, "delete": deletes, "heads": heads }), bytes)
}

/// An id as SQL's `unhex` takes it.
pub fn hex_id(session: SessionId) -> String {
    session.uuid().simple().to_string()
}
