//! Brings here what came in and lies with the network, when somebody asks for it. Whoever asks while it is on its way waits
//! for the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tracing::Instrument as _;

use super::{Ports, sniff};
use crate::domain::id::MediaId;
use crate::domain::media::{Found, MediaFile, MediaState};
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::ports::sessions::Sessions;
use crate::ports::store::{StoreError, WriteError};
use crate::ports::supervisor::{Supervisor, SupervisorError};
use crate::ports::transport::FetchError;

type Answer = Result<MediaFile, WriteError>;
type UnderWay = Shared<BoxFuture<'static, Answer>>;

/// Brings files here, each once.
#[derive(Clone)]
pub struct Fetcher {
    ports: Ports,
    sessions: Arc<dyn Sessions>,
    supervisor: Arc<dyn Supervisor>,
    under_way: Arc<Mutex<HashMap<MediaId, UnderWay>>>,
}

impl Fetcher {
    /// Over these ports.
    pub fn new(ports: Ports, sessions: Arc<dyn Sessions>, supervisor: Arc<dyn Supervisor>) -> Self {
        Self { ports, sessions, supervisor, under_way: Arc::default() }
    }

    /// The record of a file whose bytes are here, after they were brought if need be. It is finished even if whoever asked
    /// leaves. 409 `session_not_ready` while its session is not connected, 409 `conflict` when the network does not have the
    /// file any more, or it is larger than the plan takes; 503 when it broke off, and nothing of it is kept then.
    pub async fn fetch(&self, scope: TenantScope, file: MediaFile) -> Answer {
        if file.state == MediaState::Stored {
            return Ok(file);
        }
        let id = file.id;
        let answer = {
            let mut under_way = self.under_way();
            match under_way.get(&id) {
                Some(answer) => answer.clone(),
                None => {
                    let answer = self.begin(scope, file);
                    under_way.insert(id, answer.clone());
                    answer
                }
            }
        };
        answer.await
    }

    fn begin(&self, scope: TenantScope, file: MediaFile) -> UnderWay {
        let (fetcher, id) = (self.clone(), file.id);
        let work = async move {
            let _done = Done { fetcher: fetcher.clone(), id };
            fetcher.bring(scope, file).await
        };
        let task = tokio::spawn(work.in_current_span());
        let panicked = |_| Err(StoreError::Unavailable("the fetch panicked".to_owned()).into());
        task.map(move |done| done.unwrap_or_else(panicked)).boxed().shared()
    }

    async fn bring(&self, scope: TenantScope, file: MediaFile) -> Answer {
        let plan = self.ports.plan(scope.tenant())?;
        let most = plan.media_bytes_max;
        // It may have been brought while this one waited to begin.
        let file = self.ports.records.get(scope, file.id).await?.ok_or_else(Refusal::not_found)?;
        let (Some(session), Some(handle), MediaState::Remote) = (file.session, &file.handle, file.state)
        else {
            return Ok(file);
        };
        if file.size > most {
            return Err(beyond(most).into());
        }
        let session = self.sessions.get(scope, session).await?.ok_or_else(Refusal::not_found)?;
        let body = self.supervisor.fetch_media(&session, handle.clone(), most).await;
        let body = body.map_err(|error| refusal(error, most))?;
        let mut incoming = self.ports.files.begin(scope.tenant()).await.map_err(StoreError::from)?;
        if !incoming.fill(body, most).await.map_err(StoreError::from)? {
            return Err(beyond(most).into());
        }
        let whole = incoming.whole().await.map_err(StoreError::from)?;
        let mime = sniff::mime_of(&whole.head, Some(&file.mime));
        let mime = mime.unwrap_or_else(|sniff::NotAsDeclared| sniff::UNKNOWN.to_owned());
        let found = Found { mime, size: whole.size, sha256: whole.sha256 };
        incoming.keep(file.id).await.map_err(StoreError::from)?;
        let kept = self.ports.records.fetched(scope, file.id, found, plan.media_bytes_total).await;
        if let Err(WriteError::Refused(_)) = &kept {
            self.ports.files.remove(scope.tenant(), file.id).await.map_err(StoreError::from)?;
        }
        kept
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<MediaId, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever asks from now on begins anew, however it ended.
struct Done {
    fetcher: Fetcher,
    id: MediaId,
}

impl Drop for Done {
    fn drop(&mut self) {
        self.fetcher.under_way().remove(&self.id);
    }
}

fn beyond(most: u64) -> Refusal {
    Refusal::conflict(format!(
        "the file is larger than the {most} bytes that the plan takes (media_bytes_max)"
    ))
}

fn refusal(error: SupervisorError, most: u64) -> Refusal {
    let not_now = || Refusal::session_not_ready_to_fetch();
    match error {
        SupervisorError::Fetch(FetchError::NoLink)
        | SupervisorError::NotConnected
        | SupervisorError::NotPairing
        | SupervisorError::Gone => not_now(),
        SupervisorError::Fetch(FetchError::Unsupported) | SupervisorError::Unsupported => {
            Refusal::unsupported("the session's engine cannot fetch files")
        }
        SupervisorError::Fetch(FetchError::Absent) => {
            Refusal::conflict("the network does not have this file any more")
        }
        SupervisorError::Fetch(FetchError::TooLarge) => beyond(most),
        SupervisorError::Fetch(FetchError::Broken) => {
            Refusal::unavailable("the file did not come whole, and nothing of it was kept; try again")
        }
        SupervisorError::Busy => {
            Refusal::unavailable("too many files of this session are on their way; try again")
        }
    }
}
