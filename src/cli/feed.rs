//! `columba feed`: what happens, as it happens, over the websocket.

use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::api::{Api, not_ours};
use super::exit::{Exit, Failure};
use super::refused::{Asked, refused};
use super::screen::{Form, Screen};
use super::tail::{After, Note, Position, Tail};
use super::target::As;
use crate::domain::id::SessionId;

/// The server shows itself every 25 s; after this long it is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A server answers the first frames within this time.
const OPENING: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A message has a new status.
    Msg,
    /// A message came in.
    In,
    /// A session has a new status.
    Session,
    /// A threshold of the month's messages was passed.
    Usage,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Msg => "msg",
            Self::In => "in",
            Self::Session => "session",
            Self::Usage => "usage",
        }
    }
}

/// Show a tenant's events as they happen; after a lost connection it goes on where it was. Needs a tenant's key.
#[derive(Debug, Args)]
pub struct Feed {
    /// Of these sessions only; may be given often.
    #[arg(long = "session", value_name = "ses_…")]
    sessions: Vec<SessionId>,
    /// Of these kinds only.
    #[arg(long = "event", value_name = "KIND", value_delimiter = ',')]
    events: Vec<Kind>,
    /// Begin after this place, as an earlier run said it.
    #[arg(long, value_name = "EPOCH:SEQ")]
    since: Option<Position>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End when the connection is lost, instead of coming back.
    #[arg(long)]
    once: bool,
}

impl Feed {
    /// Shows events until it is ended, or what `count` asks for has come.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        let mut tail = Tail::new(self.since.clone());
        let mut left = self.count;
        loop {
            let lost = match self.open(api, &tail).await {
                Ok(mut socket) => {
                    let ended = self.listen(&mut socket, &mut tail, screen, &mut left).await?;
                    let Some(close) = ended else { return self.farewell(screen, &tail) };
                    close
                }
                // Nothing was ever heard: that is no lost connection, but a wrong address.
                Err(failure) if !tail.was_ready() || failure.exit != Exit::Unavailable => {
                    return Err(failure);
                }
                Err(_) => None,
            };
            match tail.lost(lost) {
                After::Stop(failure) => return Err(failure),
                After::Retry(_) if self.once => {
                    return Err(Failure::new(Exit::Unavailable, "lost", "the connection was lost"));
                }
                After::Retry(wait) => {
                    screen.hint(format_args!("connection lost; trying again in {} s", wait.as_secs_f64()));
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn farewell(&self, screen: Screen, tail: &Tail) -> Result<(), Failure> {
        if let Some(position) = tail.position() {
            screen.hint(format_args!("to go on from here: --since {position}"));
        }
        Ok(())
    }

    /// A connection that has said what it wants.
    async fn open(&self, api: &Api, tail: &Tail) -> Result<Socket, Failure> {
        let credential = api.credential(As::Tenant)?;
        let unusable = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", api.url()));
        let address = format!("{}/v1/feed", api.url().replacen("http", "ws", 1));
        let mut request = address.into_client_request().map_err(|error| unusable(&error))?;
        let bearer = format!("Bearer {}", *credential.text).parse().map_err(|_| {
            Failure::usage(format!("the key from {} holds what no header may hold", credential.origin))
        })?;
        request.headers_mut().insert("authorization", bearer);
        let late = || WsError::Io(std::io::Error::other("no answer in time"));
        let opened = tokio::time::timeout(OPENING, connect_async(request)).await.map_err(|_| late());
        let (mut socket, _) = match opened.and_then(|opened| opened) {
            Ok(opened) => opened,
            Err(WsError::Http(response)) => {
                let body: Value = response
                    .body()
                    .as_ref()
                    .and_then(|body| serde_json::from_slice(body).ok())
                    .unwrap_or_default();
                let document = match guess(response.status().as_u16()) {
                    _ if body["code"].is_string() => body,
                    Some(document) => document,
                    None => return Err(not_ours(api.url())),
                };
                let asked = Asked {
                    who: As::Tenant,
                    path: "/v1/feed",
                    method: &reqwest::Method::GET,
                    credential: &credential.origin,
                    retry_after: None,
                };
                return Err(refused(&document, &asked));
            }
            Err(error) => {
                let detail = format!("the server at {} does not answer: {error}", api.url());
                return Err(Failure::new(Exit::Unavailable, "unreachable", detail).next(
                    "is the server running there? `columba serve` starts one; another address: --url or COLUMBA_URL",
                ));
            }
        };
        let frame = tail.subscribe(&self.filter());
        if socket.send(Message::text(frame.to_string())).await.is_err() {
            return Err(Failure::new(Exit::Unavailable, "lost", "the connection was lost"));
        }
        Ok(socket)
    }

    fn filter(&self) -> Value {
        let mut frame = json!({});
        if !self.sessions.is_empty() {
            frame["sessions"] = self.sessions.iter().map(ToString::to_string).collect();
        }
        if !self.events.is_empty() {
            frame["events"] = self.events.iter().map(|kind| kind.word()).collect();
        }
        frame
    }

    /// Shows what comes until the connection ends: how it was closed, or nothing if all that was asked for has come.
    async fn listen(
        &self,
        socket: &mut Socket,
        tail: &mut Tail,
        screen: Screen,
        left: &mut Option<u64>,
    ) -> Result<Option<Option<u16>>, Failure> {
        loop {
            if *left == Some(0) {
                // The server hears of it; whether it answers does not matter any more.
                socket.close(None).await.unwrap_or(());
                return Ok(None);
            }
            let text = match tokio::time::timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(frame)))) => return Ok(Some(frame.map(|frame| frame.code.into()))),
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(_)) | None) | Err(_) => return Ok(Some(None)),
            };
            let note = tail.on(&text)?;
            if let (Note::Event(_), Some(left)) = (&note, left.as_mut()) {
                *left -= 1;
            }
            say(screen, &note, &text)?;
        }
    }
}

/// A refusal whose document did not come with the handshake.
fn guess(status: u16) -> Option<Value> {
    let code = match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        429 => "rate_limited",
        503 => "unavailable",
        _ => return None,
    };
    let detail = format!("the server refused the feed with {status}");
    Some(json!({"status": status, "code": code, "detail": detail}))
}

fn say(screen: Screen, note: &Note, text: &str) -> Result<(), Failure> {
    match (screen.form, note) {
        // Greetings and pongs are the connection's own business.
        (_, Note::Nothing) => Ok(()),
        (Form::Json, _) => screen.line(text),
        (Form::Quiet, Note::Event(event)) => screen.line(&event.id),
        (Form::Human, Note::Event(event)) => screen.line(event.line(|word| screen.word(word))),
        (_, note) => {
            screen.hint(note.hint());
            Ok(())
        }
    }
}
