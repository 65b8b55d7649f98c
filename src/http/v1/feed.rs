//! The live feed: tickets, and the way from an HTTP request to a subscriber.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, rt, web};
use actix_ws::{AggregatedMessage, CloseReason, MessageStream, Session as Socket};
use futures_util::{Stream as _, StreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::owned;
use crate::actors::subscriber::machine::CloseCode;
use crate::actors::subscriber::messages::Frame;
use crate::actors::subscriber::{Listening, Outgoing, SubscriberActor};
use crate::domain::id::SessionId;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::tenant::KeyScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::sample;
use crate::http::origin::is_own;
use crate::http::presented::Presented;
use crate::http::problem::Problem;
use crate::http::state::{FeedState, HttpState};
use crate::ports::tickets::{Grant, Holder};
use crate::tenancy::keys::ticket_text;

/// What the protocol is called in `Sec-WebSocket-Protocol`.
const PROTOCOL: &str = "columba.v1";
const TICKET_PREFIX: &str = "ticket.";
const TICKET_LIFE: Duration = Duration::from_secs(30);
/// Sessions a ticket can be narrowed to.
const TICKET_SESSIONS: usize = 100;
/// Bytes one frame of a client may have; what it can say fits many times.
const FRAME: usize = 64 * 1024;

/// The body of `POST /feed/tickets`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// Narrows the ticket to these; all of the tenant's if it is left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = TICKET_SESSIONS))]
    sessions: Option<Vec<SessionId>>,
}

impl Form for NewTicket {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
pub(in crate::http) struct TicketRecord<'a> {
    /// Good once.
    ticket: &'a str,
    expires_at: WallTime,
}

impl TicketRecord<'static> {
    /// For the API's description.
    pub(in crate::http) fn example() -> Self {
        Self { ticket: "tkt_7q0x…", expires_at: sample::NOW + TICKET_LIFE }
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/feed/tickets", ticket)
            .named("createFeedTicket", "Make a ticket for the feed")
            .about("For a browser, which cannot send the key: it opens the feed once, within 30 s.")
            .asking(json!({"sessions": [sample::session_id()]}))
            .answering(201, "The ticket.", &TicketRecord::example())
            .refusing(&[Code::InvalidRequest, Code::NotFound]),
        get("/v1/feed", socket)
            .named("openFeed", "Open the feed")
            .about("A websocket. `asyncapi.json` describes what is said over it.")
            .opened_by("tenant", Some("read"))
            .opened_by("ticket", None)
            .answering_nothing(
                101,
                "The socket is open. A ticket that is no good is told so after this: 4009.",
            )
            .refusing(&[Code::Unauthorized, Code::Forbidden, Code::TenantSuspended]),
    ]
}

/// `POST /feed/tickets`.
pub async fn ticket(
    state: State,
    feed: web::Data<FeedState>,
    _: Query<Nothing>,
    Json(body): Json<NewTicket>,
    tenant: Tenant<tenant::Read>,
) -> Answer {
    let sessions = body.sessions;
    if sessions.as_ref().is_some_and(|wanted| wanted.is_empty() || wanted.len() > TICKET_SESSIONS) {
        let detail = format!("1 to {TICKET_SESSIONS} sessions, or leave it out for all of them");
        return Err(Refusal::invalid(vec![Fault::new("/sessions", "out_of_range", detail)]).into());
    }
    for &session in sessions.iter().flatten() {
        owned(&state, tenant.principal(), session).await?;
    }
    issued(&state, &feed, Grant { tenant: tenant.id(), holder: tenant.holder()?, sessions }).await
}

/// A new ticket for this.
pub async fn issued(state: &HttpState, feed: &FeedState, grant: Grant) -> Answer {
    let text = ticket_text(&mut rand::rng());
    feed.tickets.issue(text.to_string(), grant, state.clock.now() + TICKET_LIFE).await?;
    let expires_at = state.clock.wall() + TICKET_LIFE;
    created(StatusCode::CREATED, false, TicketRecord { ticket: &text, expires_at })
}

/// `GET /feed`: the websocket. A ticket that is no good is told so after the upgrade, where a browser can see it.
pub async fn socket(
    state: State,
    feed: web::Data<FeedState>,
    _: Query<Nothing>,
    request: HttpRequest,
    body: web::Payload,
) -> Answer {
    admit_origin(&feed, request.headers())?;
    let shown = presented_ticket(request.headers());
    let bearer = match &shown {
        Some(_) => None,
        None => Some(by_bearer(&request)?),
    };
    let (response, socket, stream) = actix_ws::handle_with_protocols(&request, body, &[PROTOCOL])
        .map_err(|_| Refusal::malformed("this path speaks websocket; send an upgrade request", vec![]))?;
    let grant = match shown {
        Some(ticket) => feed.tickets.redeem(&ticket, state.clock.now()).await?,
        None => bearer,
    };
    match grant {
        Some(grant) => Ok(serve(&feed, grant, response, stream)),
        None => {
            close(socket, CloseCode::TicketSpent);
            Ok(response)
        }
    }
}

/// A page may open the feed only if it is ours or the operator named its origin. Programs send no origin.
pub(super) fn admit_origin(feed: &FeedState, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if is_own(origin, headers) || feed.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    let detail =
        "pages of this origin may not open the feed; the operator can allow it with http.allowed_origins";
    Err(Refusal::forbidden(detail).into())
}

/// The ticket among the subprotocols offered, if there is one.
fn presented_ticket(headers: &HeaderMap) -> Option<String> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let texts = offered.filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TICKET_PREFIX).map(str::to_owned))
}

fn by_bearer(request: &HttpRequest) -> Result<Grant, Problem> {
    match request.extensions().get::<Presented>() {
        Some(Presented::Tenant(principal)) => {
            principal.require(KeyScope::Read)?;
            let holder = Holder::Key(principal.own_key()?);
            Ok(Grant { tenant: principal.scope.tenant(), holder, sessions: None })
        }
        Some(Presented::Refused(refusal) | Presented::Barred(refusal)) => Err(refusal.clone().into()),
        _ => Err(Refusal::unauthorized(
            "send Authorization: Bearer <key>, or offer the subprotocols columba.v1, ticket.<ticket>",
        )
        .into()),
    }
}

fn close(socket: Socket, code: CloseCode) {
    rt::spawn(async move {
        let reason = CloseReason::from(actix_ws::CloseCode::from(code as u16));
        if socket.close(Some(reason)).await.is_err() {
            tracing::debug!("a client left before it was told why");
        }
    });
}

/// What the subscriber wants sent, in place of what `actix_ws` would send.
struct FeedBody {
    outgoing: Outgoing,
    /// Never sent, but dropped with the connection, and by that the reader learns of its end.
    _unsaid: BoxBody,
}

impl MessageBody for FeedBody {
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

/// The subscriber lives on this thread and writes; this task reads, a frame at a time, and waits for each to be looked
/// at.
fn serve(feed: &FeedState, grant: Grant, response: HttpResponse, stream: MessageStream) -> HttpResponse {
    let (subscriber, outgoing) =
        SubscriberActor::launch(grant, Listening::Websocket, feed.subscribers.clone());
    let mut stream = stream.max_frame_size(FRAME).aggregate_continuations().max_continuation_size(FRAME);
    rt::spawn(async move {
        while let Some(message) = stream.next().await {
            let heard = match message {
                Ok(AggregatedMessage::Text(text)) => subscriber.heard(Frame::Text(text.to_string())).await,
                Ok(AggregatedMessage::Binary(_)) => subscriber.heard(Frame::Other).await,
                Ok(AggregatedMessage::Pong(_)) => subscriber.heard(Frame::Alive).await,
                Ok(AggregatedMessage::Ping(payload)) => subscriber.heard(Frame::Ping(payload)).await,
                Ok(AggregatedMessage::Close(_)) => false,
                // The connection broke, which is no news, or its bytes are no frames, which the client is told.
                Err(_) => subscriber.heard(Frame::Other).await,
            };
            if !heard {
                break;
            }
        }
        subscriber.gone().await;
    });
    response.map_body(|_, unsaid| FeedBody { outgoing, _unsaid: unsaid }).map_into_boxed_body()
}
