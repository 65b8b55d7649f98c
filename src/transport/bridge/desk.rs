//! Answers one open session's questions to its vault: in the order asked, each whole before the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use columba_bridge_protocol as wire;
use tokio::sync::{mpsc, oneshot};
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

/// The newest desk of each session that has one. A bridge that died may have asked for what is not done yet, as long as the
/// vault is slow: the next one's first answer comes after that, or it would go on from a state that is about to change.
#[derive(Default)]
pub struct Desks {
    newest: Mutex<HashMap<String, (u64, oneshot::Receiver<()>)>>,
    numbers: AtomicU64,
}

/// A desk's place behind the one before it.
pub struct Place {
    desks: Arc<Desks>,
    session: String,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Desks {
    /// A place behind the session's newest desk.
    pub fn line_up(self: &Arc<Self>, session: &str) -> Place {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (done, is_done) = oneshot::channel();
        let before = self.newest().insert(session.to_owned(), (number, is_done)).map(|(_, before)| before);
        Place { desks: Arc::clone(self), session: session.to_owned(), number, before, _done: done }
    }

    fn newest(&self) -> MutexGuard<'_, HashMap<String, (u64, oneshot::Receiver<()>)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Resolves once the desk before is gone.
    async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            let _ = before.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut newest = self.desks.newest();
        if newest.get(&self.session).is_some_and(|(number, _)| *number == self.number) {
            newest.remove(&self.session);
        }
    }
}

/// Serves until nobody asks any more. A bridge that went without closing leaves a vault that is marked so, whatever its
/// session's actor marked meanwhile: only the bridge knows whether it had more to write.
pub async fn serve(
    mut place: Place,
    engine: String,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    mut questions: mpsc::Receiver<Question>,
    answers: mpsc::Sender<Down>,
) {
    place.turn().await;
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::ports::clock::Still;
    use crate::ports::vault::Secret;

    /// A vault that writes when it is let.
    struct Slow(Semaphore);

    #[async_trait]
    impl Vault for Slow {
        fn header(&self) -> vault::Header {
            vault::Header { writer: None, clean: true }
        }

        async fn get(
            &self,
            _: &'static str,
            keys: &[&[u8]],
        ) -> Result<Vec<Option<Secret>>, vault::VaultError> {
            Ok(keys.iter().map(|_| None).collect())
        }

        async fn commit(&self, _: Vec<Change>) -> Result<(), vault::VaultError> {
            self.0.acquire().await.expect("open").forget();
            Ok(())
        }

        async fn list(
            &self,
            _: &'static str,
            _: &[u8],
            _: Option<&[u8]>,
            _: u32,
        ) -> Result<Vec<Vec<u8>>, vault::VaultError> {
            Ok(vec![])
        }

        async fn wipe(&self) -> Result<(), vault::VaultError> {
            Ok(())
        }

        async fn close(&self) -> Result<(), vault::VaultError> {
            Ok(())
        }
    }

    fn answered(frame: Down) -> u64 {
        let Down::Vault { id, .. } = frame else { panic!("an answer, not {frame:?}") };
        id
    }

    #[tokio::test]
    async fn a_bridge_is_answered_after_all_that_the_one_before_had_asked_is_done() {
        let vault = Arc::new(Slow(Semaphore::new(0)));
        let desks = Arc::<Desks>::default();
        let (out, mut answers) = mpsc::channel(8);
        let open = || {
            let (ask, questions) = mpsc::channel(wire::VAULT_CALLS);
            let place = desks.line_up("ses_1");
            let clock = Arc::new(Still);
            tokio::spawn(serve(place, "native".to_owned(), vault.clone(), clock, questions, out.clone()));
            ask
        };
        let dead = open();
        for id in [1, 2] {
            dead.try_send((id, VaultCall::Commit { changes: vec![] })).expect("room");
        }
        drop(dead);
        let next = open();
        next.try_send((
            3,
            VaultCall::Get { kind: "device".to_owned(), keys: vec![Blob(b"a".to_vec().into())] },
        ))
        .expect("room");
        // Both desks run on this thread: whatever they can do they have done by then.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(answers.try_recv().is_err(), "nothing is written yet, and nothing read");
        // The dead one's two, and the mark that it did not close.
        vault.0.add_permits(3);
        let mut order = vec![];
        for _ in 0..3 {
            order.push(answered(answers.recv().await.expect("an answer")));
        }
        assert_eq!(order, [1, 2, 3]);
        drop(next);
        vault.0.add_permits(1);
        while !desks.newest().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
