//! `columba message`: what is sent, and what came in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api, Paging, escaped};
use super::exit::{Exit, Failure};
use super::life::{self, Goal};
use super::media::Attached;
use super::plan::read_json;
use super::reply::{self, Column};
use super::screen::{Form, Screen, cell};
use super::target::As;
use super::words::words;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Category, Delivery, Direction, MessageStatus};

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("SESSION", "/session"),
    ("WAY", "/direction"),
    ("CHAT", "/chat"),
    ("STATUS", "/status"),
    ("REASON", "/reason"),
];
const FIELDS: [Column; 15] = [
    ("id", "/id"),
    ("session", "/session"),
    ("way", "/direction"),
    ("to", "/to"),
    ("from", "/from"),
    ("type", "/type"),
    ("text", "/text/body"),
    ("answers", "/reply_to"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("attempts", "/attempts"),
    ("client ref", "/client_ref"),
    ("send at", "/send_at"),
    ("expires", "/expires_at"),
    ("id on the network", "/wa_id"),
];

/// What is sent, and what came in. All of these need a tenant's key.
#[derive(Debug, Subcommand)]
pub enum Message {
    /// Send a message; with --wait, stay until it has come so far.
    Send(Box<Send>),
    /// List messages, newest first.
    List {
        /// Of one session.
        #[arg(long, value_name = "ses_…")]
        session: Option<SessionId>,
        /// Of one chat: a number with +, or a group.
        #[arg(long, value_name = "CHAT")]
        chat: Option<String>,
        /// In one status.
        #[arg(long, value_parser = words::<MessageStatus>())]
        status: Option<MessageStatus>,
        /// Sent (out), received (in), or written on another device of the account (own).
        #[arg(long, value_parser = words::<Direction>())]
        direction: Option<Direction>,
        /// With one reference of yours.
        #[arg(long, value_name = "TEXT")]
        client_ref: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one, with the time of every step.
    Get {
        /// Which.
        #[arg(value_name = "msg_…")]
        id: MessageId,
    },
    /// Take one back while it still waits.
    Cancel {
        /// Which.
        #[arg(value_name = "msg_…")]
        id: MessageId,
    },
}

/// What to send.
#[derive(Debug, Args)]
pub struct Send {
    /// From which session.
    #[arg(value_name = "ses_…")]
    session: SessionId,
    /// To whom: a number with + and country code, or a group (…@g.us).
    #[arg(long, value_name = "CHAT", required_unless_present = "body")]
    to: Option<String>,
    /// The text, or - for standard input; with --edit the new one.
    #[arg(
        long, value_name = "TEXT", conflicts_with = "attached",
        required_unless_present_any = ["body", "react", "revoke", "location", "attached"],
    )]
    text: Option<String>,
    #[command(flatten)]
    attached: Attached,
    /// Put a sign on the message that --about names; an empty one takes it away.
    #[arg(long, value_name = "EMOJI", requires = "about", conflicts_with_all = ["text", "revoke", "location", "attached"])]
    react: Option<String>,
    /// The message a sign is put on.
    #[arg(long, value_name = "msg_…", requires = "react")]
    about: Option<MessageId>,
    /// Give this message the new --text, at most 15 minutes after it left.
    #[arg(long, value_name = "msg_…", requires = "text")]
    edit: Option<MessageId>,
    /// Take this message back for everybody, at most 60 hours after it left.
    #[arg(long, value_name = "msg_…", conflicts_with_all = ["text", "location", "attached"])]
    revoke: Option<MessageId>,
    /// A place, in degrees north and east.
    #[arg(
        long, value_name = "LAT,LON", allow_hyphen_values = true, value_parser = place,
        conflicts_with_all = ["text", "attached"],
    )]
    location: Option<Place>,
    /// A JSON file with the body as the API takes it, or - for standard input; flags win over it. Polls and contact cards
    /// are sent this way.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// What it is for.
    #[arg(long, value_parser = words::<Category>())]
    category: Option<Category>,
    /// What a crash in the middle may cost.
    #[arg(long, value_parser = words::<Delivery>())]
    delivery: Option<Delivery>,
    /// Not before: RFC 3339.
    #[arg(long, value_name = "TIME")]
    send_at: Option<String>,
    /// Not after: RFC 3339.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// The message it answers.
    #[arg(long, value_name = "msg_…")]
    reply_to: Option<MessageId>,
    /// A reference of yours, at most 64 characters.
    #[arg(long, value_name = "TEXT")]
    client_ref: Option<String>,
    /// The same key twice is one message; one is made up if none is given.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Stay until it is sent, delivered or read.
    #[arg(long, value_name = "STATUS", num_args = 0..=1, default_missing_value = "delivered")]
    wait: Option<Goal>,
    /// With --wait: give up after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
    timeout: u64,
}

impl Message {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Send(send) => send.run(api, screen).await,
            Self::List { session, chat, status, direction, client_ref, paging } => {
                let filters = [
                    ("session", session.map(|id| id.to_string())),
                    ("chat", chat.clone()),
                    ("status", status.map(|word| word.to_string())),
                    ("direction", direction.map(|word| word.to_string())),
                    ("client_ref", client_ref.clone()),
                ];
                let query: Vec<String> = filters
                    .into_iter()
                    .filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))))
                    .collect();
                let path =
                    format!("/v1/messages{}{}", if query.is_empty() { "" } else { "?" }, query.join("&"));
                let bar = screen.reading(paging.all);
                let answer = api
                    .list(As::Tenant, &path, *paging, |rows| bar.set_message(format!("{rows} messages")))
                    .await?;
                bar.finish_and_clear();
                let none = "no such messages; send one: columba message send ses_… --to +… --text …";
                reply::list(screen, &answer, &COLUMNS, none)
            }
            Self::Get { id } => {
                let answer = api.get(As::Tenant, &format!("/v1/messages/{id}")).await?;
                shown(screen, &answer)
            }
            Self::Cancel { id } => {
                let answer = api.delete(As::Tenant, &format!("/v1/messages/{id}")).await?;
                reply::done(screen, &answer, &format!("{} {id}", cell(&answer.value, "/status")), "")
            }
        }
    }
}

fn shown(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    reply::one(screen, answer, &FIELDS)?;
    if !screen.is_human() {
        return Ok(());
    }
    for step in life::steps(&answer.value) {
        screen.line(format_args!("  {}", step.line(screen)))?;
    }
    Ok(())
}

/// Degrees north and east.
#[derive(Debug, Clone, Copy)]
struct Place(f64, f64);

fn place(text: &str) -> Result<Place, String> {
    let degrees = |text: &str| text.trim().parse::<f64>().ok();
    let read = text.split_once(',').and_then(|(north, east)| Some(Place(degrees(north)?, degrees(east)?)));
    read.ok_or_else(|| "expected degrees north and east, such as 52.52,13.405".to_owned())
}

impl Send {
    /// What the flags say it holds, with its kind.
    fn content(&self) -> Result<Option<(&'static str, Value)>, Failure> {
        Ok(if let (Some(emoji), Some(message)) = (&self.react, self.about) {
            Some(("reaction", json!({"message": message, "emoji": emoji})))
        } else if let Some(message) = self.revoke {
            Some(("revoke", json!({"message": message})))
        } else if let Some(Place(latitude, longitude)) = self.location {
            Some(("location", json!({"latitude": latitude, "longitude": longitude})))
        } else if let Some(text) = &self.text {
            let text = read_text(text)?;
            Some(match self.edit {
                Some(message) => ("edit", json!({"message": message, "body": text})),
                None => ("text", json!({"body": text})),
            })
        } else {
            None
        })
    }

    async fn body(&self, api: &Api) -> Result<Value, Failure> {
        let mut body = match &self.body {
            None => Map::new(),
            Some(path) => match read_json(path)? {
                Value::Object(fields) => fields,
                _ => return Err(Failure::usage(format!("{} holds no JSON object", path.display()))),
            },
        };
        if let Some((kind, content)) = self.content()? {
            body.insert("type".to_owned(), kind.into());
            body.insert(kind.to_owned(), content);
        }
        body.extend(self.attached.fields(api).await?);
        let flags = [
            ("to", self.to.clone()),
            ("category", self.category.map(|word| word.to_string())),
            ("delivery", self.delivery.map(|word| word.to_string())),
            ("send_at", self.send_at.clone()),
            ("expires_at", self.expires_at.clone()),
            ("reply_to", self.reply_to.map(|id| id.to_string())),
            ("client_ref", self.client_ref.clone()),
        ];
        body.extend(flags.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into()))));
        Ok(body.into())
    }

    async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        let path = format!("/v1/sessions/{}/messages", self.session);
        let key =
            self.idempotency_key.clone().unwrap_or_else(|| format!("cli-{}", uuid::Uuid::new_v4().simple()));
        let body = self.body(api).await?;
        let sent = api.call(As::Tenant, Method::POST, &path, Some(body), Some(&key)).await;
        let answer = sent.map_err(|failure| match failure.exit {
            Exit::Unavailable | Exit::Later => {
                let next = failure.next.clone().unwrap_or_default();
                failure.next(format!(
                    "{next}; with --idempotency-key {key} the same command is one message at most"
                ))
            }
            _ => failure,
        })?;
        let id = answer.id().to_owned();
        let Some(goal) = self.wait else {
            return reply::done(
                screen,
                &answer,
                &format!("{} {id}", cell(&answer.value, "/status")),
                &format!("columba message get {id}"),
            );
        };
        if screen.is_human() {
            screen.line(&id)?;
        }
        let last = life::follow(api, screen, &id, goal, self.timeout).await?;
        match screen.form {
            Form::Json => screen.line(&last.text),
            Form::Quiet => screen.line(&id),
            Form::Human => Ok(()),
        }
    }
}

fn read_text(text: &str) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let read = std::io::read_to_string(std::io::stdin());
    let text = read.map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
