//! The live feed as server-sent events: the twin of the websocket for programs that have none. The same filters,
//! positions and gap rules; what a websocket client says by `subscribe` is said by the request.

use std::convert::Infallible;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, rt};
use futures_util::Stream as _;
use strum::IntoEnumIterator as _;

use super::feed::admit_origin;
use super::owned;
use crate::actors::hub::messages::{Filter, Resume};
use crate::actors::subscriber::messages::Frame;
use crate::actors::subscriber::{Listening, Outgoing, SubscriberActor, SubscriberHandle};
use crate::domain::event::EventKind;
use crate::domain::id::SessionId;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::answer::Answer;
use crate::http::extract::State;
use crate::http::extract::query::{Given, Parameters, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::state::FeedState;
use crate::ports::tickets::Grant;

/// Where a client was when its connection broke, as it says by itself when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";
const STREAM: &str = "text/event-stream";
const EXAMPLE: &str =
    "id: 9f2c:42\ndata: {\"op\":\"event\",\"q\":42,\"e\":\"usage\",\"c\":\"80\",\"t\":1795000000000}\n\n";
/// Sessions a stream can be narrowed to.
const SESSIONS: usize = 100;

/// `?sessions=ses_…,ses_…&events=msg,in`.
#[derive(Debug)]
pub struct Wanted {
    sessions: Option<Vec<SessionId>>,
    kinds: Option<Vec<EventKind>>,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let sessions = given.reads("sessions", |text| {
            let sessions: Vec<SessionId> = list(text, "session ids such as ses_…, with commas between them")?;
            match sessions.len() <= SESSIONS {
                true => Ok(sessions),
                false => Err(format!("at most {SESSIONS} sessions, or leave it out for all of them")),
            }
        });
        let kinds = given.reads("events", |text| {
            let known: Vec<&str> = EventKind::iter().map(Into::into).collect();
            list(text, &format!("some of {}, with commas between them", known.join(", ")))
        });
        Self { sessions, kinds }
    }

    fn described() -> Vec<Parameter> {
        let sessions = sample::session_id().to_string();
        vec![
            Parameter::new::<String>(
                "sessions",
                "Of these sessions only: up to 100 ids, with commas.",
                sessions,
            ),
            Parameter::new::<String>(
                "events",
                "Of these kinds only: msg, in, session, usage, webhook.",
                "msg,in",
            ),
        ]
    }
}

fn list<T: FromStr>(text: &str, expected: &str) -> Result<Vec<T>, String> {
    let items = text.split(',').map(|item| item.trim().parse().map_err(|_| format!("expected {expected}")));
    items.collect()
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/v1/events", stream)
            .named("streamEvents", "Listen to the feed as server-sent events")
            .about(
                "The feed for programs without a websocket. Each event's `id` is a position; sent back as \
                 `Last-Event-ID`, which clients do by themselves, it makes the stream go on behind it. What happened \
                 comes without a name; `hello`, `ready`, `lagged`, `resync`, `going_away` and `close` under theirs.",
            )
            .answering_as(200, STREAM, "The stream. It ends when the server goes or the key is revoked.", EXAMPLE)
            .refusing(&[Code::InvalidRequest, Code::NotFound, Code::Forbidden]),
    ]
}

/// `GET /events`.
pub async fn stream(
    state: State,
    feed: web::Data<FeedState>,
    Query(Wanted { sessions, kinds }): Query<Wanted>,
    request: HttpRequest,
    tenant: Tenant<tenant::Read>,
) -> Answer {
    admit_origin(&feed, request.headers())?;
    let resume = position(request.headers())?;
    for &session in sessions.iter().flatten() {
        owned(&state, tenant.principal(), session).await?;
    }
    let grant = Grant { tenant: tenant.id(), holder: tenant.holder()?, sessions: None };
    let setup = feed.subscribers.clone();
    let (subscriber, outgoing) = SubscriberActor::launch(grant, Listening::EventStream, setup);
    let wish = Frame::Wish(Filter { sessions, kinds }, resume);
    let told = subscriber.clone();
    rt::spawn(async move { told.heard(wish).await });
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, STREAM));
    response.insert_header((CACHE_CONTROL, "no-store"));
    // nginx would keep events back until it has a buffer full of them.
    response.insert_header(("x-accel-buffering", "no"));
    Ok(response.body(EventsBody { outgoing, subscriber }))
}

/// `<epoch>:<seq>`, as the stream gave it.
fn position(headers: &HeaderMap) -> Result<Option<Resume>, Refusal> {
    let Some(given) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = given.to_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let read = text.rsplit_once(':').and_then(|(epoch, seq)| {
        let known = !epoch.is_empty() && epoch.len() <= 64;
        known.then_some(Resume { epoch: epoch.to_owned(), seq: seq.parse().ok()? })
    });
    read.map(Some).ok_or_else(|| {
        let detail = "expected the id of an event of this stream, <epoch>:<seq>; leave it out to begin now";
        Refusal::malformed(
            "the header Last-Event-ID is no position",
            vec![Fault::new("Last-Event-ID", "not_allowed", detail)],
        )
    })
}

/// What the subscriber wants sent; dropped with the connection, which is how the subscriber learns of its end.
struct EventsBody {
    outgoing: Outgoing,
    subscriber: SubscriberHandle,
}

impl MessageBody for EventsBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut self.outgoing).poll_next(context)
    }
}

impl Drop for EventsBody {
    fn drop(&mut self) {
        let subscriber = self.subscriber.clone();
        // The thread that lets go of its connections at its own end has nobody left to tell.
        if let Ok(thread) = tokio::runtime::Handle::try_current() {
            thread.spawn(async move { subscriber.gone().await });
        }
    }
}
