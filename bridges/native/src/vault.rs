//! One session's vault, seen from the bridge: strict batches, lazy changes that ride along, and what to do when it is away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::sync::watch;
use wire::{
    Blob, Change, CloseReason, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Record, SessionKey, VaultAnswer,
    VaultCall, VaultError, VaultHeader, VaultOutcome,
};

use crate::killpoint::{self, Point};
use crate::wire::Wire;

/// How long lazy changes wait for a strict batch to ride with.
const RIDE: Duration = Duration::from_millis(100);
/// A vault that is away for so long is lost.
const AWAY: Duration = Duration::from_secs(30);
/// Records asked for at a time.
const PAGE: u32 = 1_000;

/// The vault is lost to this session: fenced, or away for too long. Nothing may be written to the network any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session's vault is lost")]
pub struct Lost;

type Place = (&'static str, Vec<u8>);

/// One session's vault.
pub struct Vault {
    key: SessionKey,
    wire: Arc<Wire>,
    /// One call at a time: a read never overtakes the write before it, also when that one has to be asked again.
    turn: tokio::sync::Mutex<()>,
    /// Changes that were answered and are not written yet. Reads see them.
    lazy: Mutex<BTreeMap<Place, Change>>,
    doom: watch::Sender<Option<CloseReason>>,
    calls: AtomicU64,
    me: Weak<Self>,
}

/// Writes a record.
pub fn put(kind: &'static str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Change {
    Change::Put {
        kind: kind.to_owned(),
        key: Blob::from(key.into()),
        value: Blob::from(value.into()),
        expires_at_ms: None,
    }
}

/// Writes a record that goes away by itself.
pub fn put_until(
    kind: &'static str,
    key: impl Into<Vec<u8>>,
    value: impl Into<Vec<u8>>,
    expires_at_ms: i64,
) -> Change {
    match put(kind, key, value) {
        Change::Put { kind, key, value, .. } => {
            Change::Put { kind, key, value, expires_at_ms: Some(expires_at_ms) }
        }
        del @ Change::Del { .. } => del,
    }
}

/// Removes a record.
pub fn del(kind: &'static str, key: impl Into<Vec<u8>>) -> Change {
    Change::Del { kind: kind.to_owned(), key: Blob::from(key.into()) }
}

fn size(change: &Change) -> usize {
    match change {
        Change::Put { key, value, .. } => key.as_slice().len() + value.as_slice().len(),
        Change::Del { key, .. } => key.as_slice().len(),
    }
}

impl Vault {
    /// Of this session. Asks nothing yet.
    pub fn new(key: SessionKey, wire: Arc<Wire>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            key,
            wire,
            turn: tokio::sync::Mutex::default(),
            lazy: Mutex::default(),
            doom: watch::Sender::new(None),
            calls: AtomicU64::new(0),
            me: me.clone(),
        })
    }

    fn lazy(&self) -> MutexGuard<'_, BTreeMap<Place, Change>> {
        self.lazy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is lost, if it is.
    pub fn doom(&self) -> Option<CloseReason> {
        *self.doom.borrow()
    }

    /// Resolves when it is lost.
    pub async fn doomed(&self) -> CloseReason {
        let mut doom = self.doom.subscribe();
        match doom.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(CloseReason::VaultLost),
            Err(_) => CloseReason::VaultLost,
        }
    }

    fn lose(&self, reason: CloseReason) -> Lost {
        self.doom.send_if_modified(|doom| {
            let first = doom.is_none();
            doom.get_or_insert(reason);
            first
        });
        Lost
    }

    /// Calls made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Asks, and asks again while the vault is away. The session stands meanwhile.
    async fn ask(&self, call: VaultCall) -> Result<VaultAnswer, Lost> {
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            if self.doom().is_some() {
                return Err(Lost);
            }
            self.calls.fetch_add(1, Ordering::Relaxed);
            match self.wire.ask(&self.key, call.clone()).await {
                VaultOutcome::Ok(answer) => return Ok(answer),
                VaultOutcome::Error(VaultError::Unavailable) if begun.elapsed() < AWAY => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                VaultOutcome::Error(VaultError::Fenced) => return Err(self.lose(CloseReason::Fenced)),
                VaultOutcome::Error(error) => {
                    if matches!(error, VaultError::Invalid | VaultError::NotOpen) {
                        eprintln!("a call to the vault was refused: {error:?}");
                    }
                    return Err(self.lose(CloseReason::VaultLost));
                }
            }
        }
    }

    /// The first call.
    pub async fn open(&self) -> Result<VaultHeader, Lost> {
        let _turn = self.turn.lock().await;
        match self.ask(VaultCall::Open).await? {
            VaultAnswer::Header(header) => Ok(header),
            _ => Err(self.lose(CloseReason::VaultLost)),
        }
    }

    /// Values, in the order of the keys.
    pub async fn get(&self, kind: &'static str, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Blob>>, Lost> {
        let _turn = self.turn.lock().await;
        let mut found: Vec<Option<Option<Blob>>> = {
            let lazy = self.lazy();
            let pending = |key: &Vec<u8>| match lazy.get(&(kind, key.clone())) {
                Some(Change::Put { value, .. }) => Some(Some(value.clone())),
                Some(Change::Del { .. }) => Some(None),
                None => None,
            };
            keys.iter().map(pending).collect()
        };
        let unknown: Vec<Blob> = keys
            .into_iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(key, _)| Blob::from(key))
            .collect();
        if unknown.is_empty() {
            return Ok(found.into_iter().map(Option::unwrap_or_default).collect());
        }
        let VaultAnswer::Values { values } =
            self.ask(VaultCall::Get { kind: kind.to_owned(), keys: unknown }).await?
        else {
            return Err(self.lose(CloseReason::VaultLost));
        };
        let mut values = values.into_iter();
        for place in found.iter_mut().filter(|found| found.is_none()) {
            *place = Some(values.next().unwrap_or_default());
        }
        Ok(found.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// One value.
    pub async fn get_one(&self, kind: &'static str, key: impl Into<Vec<u8>>) -> Result<Option<Blob>, Lost> {
        Ok(self.get(kind, vec![key.into()]).await?.pop().flatten())
    }

    /// All records of a kind below a prefix, with or without their values.
    pub async fn list(
        &self,
        kind: &'static str,
        prefix: impl Into<Vec<u8>>,
        values: bool,
    ) -> Result<Vec<Record>, Lost> {
        let _turn = self.turn.lock().await;
        self.write(vec![]).await?;
        let prefix = Blob::from(prefix.into());
        let (mut all, mut after) = (vec![], None);
        loop {
            let call =
                VaultCall::List { kind: kind.to_owned(), prefix: prefix.clone(), after, limit: PAGE, values };
            let VaultAnswer::Page { records, more } = self.ask(call).await? else {
                return Err(self.lose(CloseReason::VaultLost));
            };
            after = records.last().map(|record| record.key.clone());
            all.extend(records);
            if !more || after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Writes a batch, and what waits to ride along. Returns once it is on disk.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), Lost> {
        let _turn = self.turn.lock().await;
        self.write(changes).await
    }

    /// Writes what waits.
    pub async fn flush(&self) -> Result<(), Lost> {
        self.commit(vec![]).await
    }

    /// Answers at once; written with the next batch, or soon by itself.
    pub fn later(&self, changes: impl IntoIterator<Item = (&'static str, Change)>) -> Result<(), Lost> {
        if self.doom().is_some() {
            return Err(Lost);
        }
        let mut lazy = self.lazy();
        let was_empty = lazy.is_empty();
        lazy.extend(changes.into_iter().map(|(kind, change)| ((kind, key_of(&change).to_vec()), change)));
        let is_empty = lazy.is_empty();
        drop(lazy);
        if was_empty
            && !is_empty
            && let Some(me) = self.me.upgrade()
        {
            tokio::spawn(async move {
                tokio::time::sleep(RIDE).await;
                let _ = me.flush().await;
            });
        }
        Ok(())
    }

    /// With the turn in hand. A batch beyond the bounds is more than one commit; its own parts keep their order.
    async fn write(&self, changes: Vec<Change>) -> Result<(), Lost> {
        if self.doom().is_some() {
            return Err(Lost);
        }
        let riding = std::mem::take(&mut *self.lazy());
        let (mut batch, mut bytes) = (vec![], 0);
        for change in riding.into_values().chain(changes) {
            let more = size(&change);
            if batch.len() == MAX_BATCH_RECORDS || bytes + more > MAX_BATCH_BYTES {
                self.put_down(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += more;
            batch.push(change);
        }
        if !batch.is_empty() {
            self.put_down(batch).await?;
        }
        Ok(())
    }

    async fn put_down(&self, changes: Vec<Change>) -> Result<(), Lost> {
        killpoint::hit(Point::CommitBefore);
        self.ask(VaultCall::Commit { changes }).await?;
        killpoint::hit(Point::CommitAfter);
        Ok(())
    }

    /// Writes what waits and marks an orderly close. The last word: what the library's own tasks still want finds it lost.
    pub async fn close(&self) -> Result<(), Lost> {
        let _turn = self.turn.lock().await;
        self.write(vec![]).await?;
        self.ask(VaultCall::Close).await?;
        self.lose(CloseReason::Requested);
        Ok(())
    }
}

fn key_of(change: &Change) -> &[u8] {
    match change {
        Change::Put { key, .. } | Change::Del { key, .. } => key.as_slice(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use wire::Up;

    use super::*;

    /// A vault whose supervisor answers by `answer`, and the calls it gets.
    fn vault(
        answer: impl Fn(&VaultCall) -> VaultOutcome + Send + 'static,
    ) -> (Arc<Vault>, mpsc::UnboundedReceiver<VaultCall>) {
        let (out, mut frames) = mpsc::channel(16);
        let wire = Arc::new(Wire::new(out));
        let (seen, calls) = mpsc::unbounded_channel();
        let answering = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                if let Up::Vault { id, call, .. } = frame {
                    let outcome = answer(&call);
                    let _ = seen.send(call);
                    answering.answered(id, outcome);
                }
            }
        });
        let key = SessionKey { session: "ses_1".to_owned(), epoch: 1 };
        (Vault::new(key, wire), calls)
    }

    fn well(call: &VaultCall) -> VaultOutcome {
        VaultOutcome::Ok(match call {
            VaultCall::Get { keys, .. } => VaultAnswer::Values { values: vec![None; keys.len()] },
            _ => VaultAnswer::Done,
        })
    }

    fn kinds(call: VaultCall) -> Vec<String> {
        let VaultCall::Commit { changes } = call else { panic!("a commit, not {call:?}") };
        let kind = |change: Change| match change {
            Change::Put { kind, .. } | Change::Del { kind, .. } => kind,
        };
        changes.into_iter().map(kind).collect()
    }

    #[tokio::test]
    async fn lazy_changes_ride_with_a_strict_batch_and_are_read_before_they_are_written() {
        let (vault, mut calls) = vault(well);
        vault.later([("sent", put("sent", "a", "1"))]).expect("a vault");
        let found = vault.get("sent", vec![b"a".to_vec()]).await.expect("a vault");
        assert_eq!(found[0].as_ref().map(Blob::as_slice), Some(&b"1"[..]));
        assert!(calls.try_recv().is_err(), "nobody was asked");
        vault.commit(vec![put("session", "b", "2")]).await.expect("a vault");
        assert_eq!(kinds(calls.recv().await.expect("a call")), ["sent", "session"]);
        tokio::time::sleep(RIDE * 2).await;
        assert!(calls.try_recv().is_err(), "written once");
    }

    #[tokio::test]
    async fn lazy_changes_that_nothing_takes_along_go_by_themselves() {
        let (vault, mut calls) = vault(well);
        vault.later([("sent", put("sent", "a", "1"))]).expect("a vault");
        vault.later([("sent", del("sent", "a"))]).expect("a vault");
        tokio::time::sleep(RIDE * 2).await;
        assert_eq!(kinds(calls.recv().await.expect("a call")), ["sent"], "the last word, once");
    }

    #[tokio::test]
    async fn a_vault_that_is_away_is_asked_again_and_lost_after_half_a_minute() {
        let (vault, mut calls) = vault(|_| VaultOutcome::Error(VaultError::Unavailable));
        let begun = tokio::time::Instant::now();
        assert_eq!(vault.commit(vec![put("session", "b", "2")]).await, Err(Lost));
        assert!(begun.elapsed() >= AWAY && begun.elapsed() < AWAY + Duration::from_secs(3));
        assert_eq!(vault.doom(), Some(CloseReason::VaultLost));
        let mut asked = 0;
        while calls.try_recv().is_ok() {
            asked += 1;
        }
        assert!((10..100).contains(&asked), "{asked} times");
        assert_eq!(vault.flush().await, Err(Lost), "nothing is asked any more");
        assert!(calls.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_fenced_vault_is_lost_at_once() {
        let (vault, _calls) = vault(|_| VaultOutcome::Error(VaultError::Fenced));
        assert_eq!(vault.get_one("device", "").await, Err(Lost));
        assert_eq!(vault.doomed().await, CloseReason::Fenced);
        assert!(vault.later([("sent", del("sent", "a"))]).is_err());
    }

    #[tokio::test]
    async fn a_close_is_the_last_word() {
        let (vault, mut calls) = vault(well);
        vault.later([("sent", put("sent", "a", "1"))]).expect("a vault");
        vault.close().await.expect("a vault");
        assert_eq!(kinds(calls.recv().await.expect("a call")), ["sent"]);
        assert_eq!(calls.recv().await, Some(VaultCall::Close));
        assert_eq!(vault.get_one("device", "").await, Err(Lost));
        assert!(calls.try_recv().is_err(), "nobody was asked");
    }

    #[tokio::test]
    async fn a_batch_beyond_the_bounds_is_several_commits_in_order() {
        let (vault, mut calls) = vault(well);
        let big = vec![0; 2 << 20];
        let batch: Vec<_> = (0..5_u8).map(|at| put("prekey", [at], big.clone())).collect();
        vault.commit(batch).await.expect("a vault");
        let mut sizes = vec![];
        while let Ok(call) = calls.try_recv() {
            sizes.push(kinds(call).len());
        }
        assert_eq!(sizes, [2, 2, 1]);
    }
}
