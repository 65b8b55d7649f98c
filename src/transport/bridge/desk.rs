//! Answers one open session's questions to its vault: in the order asked, each whole before the next.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use columba_bridge_protocol as wire;
use tokio::sync::mpsc;
use wire::{
    Blob, Down, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_VALUE, Record, VaultAnswer, VaultCall, VaultError,
    VaultOutcome,
};

use crate::domain::time::WallTime;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::vault::{self, Change, Vault};

/// Keys whose values are read at a time for a page: a value may have 4 MiB.
const READ_AT_ONCE: usize = 64;
/// Names of kinds that all bridges of a server may use, ever. Two engines have about twenty each.
const KINDS: usize = 256;

/// A question with its number.
pub type Question = (u64, VaultCall);

/// Serves until nobody asks any more. A bridge that went without closing leaves a vault that is marked so, whatever its
/// session's actor marked meanwhile: only the bridge knows whether it had more to write.
pub async fn serve(
    engine: String,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    mut questions: mpsc::Receiver<Question>,
    answers: mpsc::Sender<Down>,
) {
    let mut closed = false;
    while let Some((id, call)) = questions.recv().await {
        let (closes, commits) = (matches!(call, VaultCall::Close), matches!(call, VaultCall::Commit { .. }));
        let answer = match answer(&*vault, &*clock, call).await {
            Ok(answer) => VaultOutcome::Ok(answer),
            Err(error) => VaultOutcome::Error(error),
        };
        let is_done = matches!(answer, VaultOutcome::Ok(_));
        if commits && is_done {
            meters::vault_commit(&engine);
        }
        closed = closes && is_done;
        if answers.send(Down::Vault { id, answer }).await.is_err() {
            break;
        }
    }
    if !closed && let Err(error) = vault.commit(vec![]).await {
        // A newer owner has it, or a start finds it as it is.
        tracing::debug!(%error, "a vault is not marked as left open");
    }
}

async fn answer(vault: &dyn Vault, clock: &dyn Clock, call: VaultCall) -> Result<VaultAnswer, VaultError> {
    match call {
        VaultCall::Open => Ok(VaultAnswer::Header(header(vault, clock))),
        VaultCall::Get { kind, keys } => {
            let keys: Vec<&[u8]> = keys.iter().map(Blob::as_slice).collect();
            let values = vault.get(named(&kind)?, &keys).await.map_err(told)?;
            let size: usize = values.iter().flatten().map(|value| value.len()).sum();
            // What the bridge put in with two commits it has to take out with two questions.
            within(size <= MAX_BATCH_BYTES)?;
            Ok(VaultAnswer::Values { values: values.into_iter().map(|value| value.map(Blob)).collect() })
        }
        VaultCall::Commit { changes } => {
            let batch = changes.into_iter().map(change).collect::<Result<_, _>>()?;
            vault.commit(batch).await.map_err(told)?;
            Ok(VaultAnswer::Done)
        }
        VaultCall::List { kind, prefix, after, limit, values } => {
            within((1..=MAX_BATCH_RECORDS).contains(&(limit as usize)))?;
            let kind = named(&kind)?;
            let after = after.as_ref().map(Blob::as_slice);
            let keys = vault.list(kind, prefix.as_slice(), after, limit).await.map_err(told)?;
            let more = keys.len() == limit as usize;
            if values { full_page(vault, kind, keys, more).await } else { Ok(page_of_keys(keys, more)) }
        }
        VaultCall::Wipe => vault.wipe().await.map(|()| VaultAnswer::Done).map_err(told),
        VaultCall::Close => vault.close().await.map(|()| VaultAnswer::Done).map_err(told),
    }
}

fn header(vault: &dyn Vault, clock: &dyn Clock) -> wire::VaultHeader {
    let vault::Header { writer, clean } = vault.header();
    let writer = writer.map(|writer| wire::Writer {
        engine: writer.engine,
        version: writer.version,
        format: writer.format,
    });
    wire::VaultHeader { writer, clean, now_ms: clock.wall().0 }
}

/// Ten thousand keys of 512 bytes are a little more than a page holds.
fn page_of_keys(keys: Vec<Vec<u8>>, more: bool) -> VaultAnswer {
    let mut size = 0;
    let asked = keys.len();
    let fits = |key: &Vec<u8>| {
        size += key.len();
        size <= MAX_BATCH_BYTES
    };
    let records: Vec<_> =
        keys.into_iter().take_while(fits).map(|key| Record { key: key.into(), value: None }).collect();
    let more = more || records.len() < asked;
    VaultAnswer::Page { records, more }
}

/// Keys with their values, as many as fit. A record that went away meanwhile is left out.
async fn full_page(
    vault: &dyn Vault,
    kind: &'static str,
    keys: Vec<Vec<u8>>,
    mut more: bool,
) -> Result<VaultAnswer, VaultError> {
    let (mut records, mut size) = (vec![], 0);
    'page: for part in keys.chunks(READ_AT_ONCE) {
        let named: Vec<&[u8]> = part.iter().map(Vec::as_slice).collect();
        let values = vault.get(kind, &named).await.map_err(told)?;
        for (key, value) in part.iter().zip(values) {
            let Some(value) = value else { continue };
            size += key.len() + value.len();
            if size > MAX_BATCH_BYTES {
                more = true;
                break 'page;
            }
            records.push(Record { key: key.clone().into(), value: Some(Blob(value)) });
        }
    }
    Ok(VaultAnswer::Page { records, more })
}

fn change(change: wire::Change) -> Result<Change, VaultError> {
    Ok(match change {
        wire::Change::Put { kind, key, value, expires_at_ms } => {
            within(value.as_slice().len() <= MAX_VALUE)?;
            let (kind, key) = (named(&kind)?, key.as_slice().to_vec());
            Change::Put { kind, key, value: value.0, expires_at: expires_at_ms.map(WallTime) }
        }
        wire::Change::Del { kind, key } => {
            Change::Delete { kind: named(&kind)?, key: key.as_slice().to_vec() }
        }
    })
}

fn within(bound: bool) -> Result<(), VaultError> {
    if bound { Ok(()) } else { Err(VaultError::Invalid) }
}

fn told(error: vault::VaultError) -> VaultError {
    match error {
        vault::VaultError::Unavailable(why) => {
            tracing::warn!(why, "the vault is away; the session waits");
            VaultError::Unavailable
        }
        vault::VaultError::Fenced => VaultError::Fenced,
        vault::VaultError::Sealed => VaultError::Sealed,
        vault::VaultError::TooLarge(_) => VaultError::Invalid,
    }
}

/// The vault's port takes kinds by names that live for ever, which is right for engines that are compiled in. A bridge's come
/// as text: each is kept once, and there is a bound to how many there are.
fn named(kind: &str) -> Result<&'static str, VaultError> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let formed = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    within(formed && (1..=32).contains(&kind.len()))?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(kind) {
        return Ok(known);
    }
    within(known.len() < KINDS)?;
    let kept: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    known.insert(kept);
    Ok(kept)
}
