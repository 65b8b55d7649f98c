//! `columba webhook`: where a tenant is told of its events, and what became of each telling.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::{Form, Screen, cell};
use super::session::pair;
use super::span::Span;
use super::target::As;
use super::words::words;
use crate::domain::id::{DeliveryId, SessionId, WebhookId};
use crate::domain::time::WallTime;
use crate::domain::webhook::DeliveryStatus;

const COLUMNS: [Column; 7] = [
    ("ID", "/id"),
    ("URL", "/url"),
    ("EVENTS", "/events"),
    ("STATUS", "/status"),
    ("REASON", "/reason"),
    ("FAILURES", "/health/failures"),
    ("SINCE", "/since"),
];
const FIELDS: [Column; 14] = [
    ("id", "/id"),
    ("url", "/url"),
    ("description", "/description"),
    ("events", "/events"),
    ("sessions", "/sessions"),
    ("headers", "/headers"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("since", "/since"),
    ("failures", "/health/failures"),
    ("failing since", "/health/failing_since"),
    ("rests until", "/health/rests_until"),
    ("overlap until", "/overlap_until"),
    ("created", "/created_at"),
];
const DELIVERIES: [Column; 7] = [
    ("ID", "/id"),
    ("TYPE", "/type"),
    ("STATUS", "/status"),
    ("REASON", "/reason"),
    ("ATTEMPTS", "/attempts"),
    ("DUE", "/due_at"),
    ("CREATED", "/created_at"),
];
const DELIVERY: [Column; 11] = [
    ("id", "/id"),
    ("webhook", "/webhook"),
    ("event", "/event"),
    ("type", "/type"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("attempts", "/attempts"),
    ("due", "/due_at"),
    ("repeats", "/repeats"),
    ("created", "/created_at"),
    ("settled", "/settled_at"),
];

/// Where a tenant is told of its events: make, try, change, send again. All of these need a tenant's key.
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// List them, newest first.
    List(Paging),
    /// Make one. Its secret is shown once: keep it now.
    Create {
        /// Where the events go: an https address of yours.
        endpoint: String,
        #[command(flatten)]
        wish: Wish,
    },
    /// Show one, with how it has answered lately.
    Show {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
    },
    /// Change one; what is not named stays.
    Change(Box<Change>),
    /// Deliver to one again, in good health.
    Enable {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
    },
    /// Stop delivering to one; its events are kept as skipped, and can be sent later.
    Disable {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
    },
    /// Delete one, for good.
    Delete {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Make a new secret. It is shown once: keep it now. Older ones sign along for a while.
    Rotate {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
        /// How long older secrets sign along, a week at most; 0 ends them at once.
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Send one an event of type webhook.test.
    Test {
        /// Which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
    },
    /// List what became of each event for one, newest first.
    Deliveries {
        /// Of which.
        #[arg(value_name = "whk_…")]
        id: WebhookId,
        /// In one status.
        #[arg(long, value_parser = words::<DeliveryStatus>())]
        status: Option<DeliveryStatus>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one delivery with every attempt; --json has the request too.
    Delivery {
        /// Which.
        #[arg(value_name = "dlv_…")]
        id: DeliveryId,
    },
    /// Send again: one delivery, or what a webhook missed in a time.
    Redeliver {
        /// One delivery, or the webhook whose events of a time are meant.
        #[arg(value_name = "dlv_…|whk_…", value_parser = again)]
        what: Again,
        /// Of a webhook: events from then on. RFC 3339, such as 2026-11-20T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: Option<WallTime>,
        /// Of a webhook: events before then.
        #[arg(long, value_name = "TIME")]
        to: Option<WallTime>,
        /// Of a webhook: only those with this status; dead and skipped, if it is not said.
        #[arg(long = "status", value_name = "STATUS", value_parser = ["delivered", "dead", "skipped"])]
        statuses: Vec<String>,
    },
}

/// What an endpoint is told, and how.
#[derive(Debug, Args)]
pub struct Wish {
    /// A type such as message.read, a family such as message.*, or *, which is what a new one gets; may be given often.
    #[arg(long = "event", value_name = "TYPE", value_delimiter = ',')]
    events: Vec<String>,
    /// Only of this session; may be given often.
    #[arg(long = "session", value_name = "ses_…", value_delimiter = ',')]
    sessions: Vec<SessionId>,
    /// A header to send with each request; may be given often. All of them anew.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// What people call it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// What to change.
#[derive(Debug, Args)]
pub struct Change {
    /// Which.
    #[arg(value_name = "whk_…")]
    id: WebhookId,
    /// Where the events go from now on.
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<String>,
    #[command(flatten)]
    wish: Wish,
    /// Of all sessions again.
    #[arg(long, conflicts_with = "sessions")]
    all_sessions: bool,
    /// No headers of its own any more.
    #[arg(long, conflicts_with = "headers")]
    no_headers: bool,
}

/// What is sent again.
#[derive(Debug, Clone, Copy)]
pub enum Again {
    /// One delivery.
    One(DeliveryId),
    /// Events of a time.
    Of(WebhookId),
}

fn again(text: &str) -> Result<Again, String> {
    let one = text.parse().map(Again::One);
    let of = || text.parse().map(Again::Of);
    one.or_else(|_| of()).map_err(|_| {
        "expected the id of a delivery, dlv_…, or that of a webhook, whk_…, with --from and --to".to_owned()
    })
}

fn at(id: WebhookId) -> String {
    format!("/v1/webhooks/{id}")
}

impl Wish {
    /// As the API takes it; what was not given is not in it.
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if !self.events.is_empty() {
            body.insert("events".to_owned(), json!(self.events));
        }
        if !self.sessions.is_empty() {
            body.insert("sessions".to_owned(), json!(self.sessions));
        }
        if !self.headers.is_empty() {
            let headers =
                self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            body.insert("headers".to_owned(), headers.collect::<Map<_, _>>().into());
        }
        if let Some(description) = &self.description {
            body.insert("description".to_owned(), description.as_str().into());
        }
        body
    }
}

impl Change {
    async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        let mut body = self.wish.body();
        if let Some(endpoint) = &self.endpoint {
            body.insert("url".to_owned(), endpoint.as_str().into());
        }
        if self.all_sessions {
            body.insert("sessions".to_owned(), json!([]));
        }
        if self.no_headers {
            body.insert("headers".to_owned(), json!({}));
        }
        if body.is_empty() {
            return Err(Failure::usage("nothing was named that is to change")
                .next("name what: --endpoint, --event, --session, --header or --description"));
        }
        let answer = api.call(As::Tenant, Method::PATCH, &at(self.id), Some(body.into()), None).await?;
        reply::one(screen, &answer, &FIELDS)
    }
}

impl Webhook {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::List(paging) => {
                let answer = api.list(As::Tenant, "/v1/webhooks", *paging, |_| ()).await?;
                let none = "no webhooks yet; make one: columba webhook create https://…";
                reply::list(screen, &answer, &COLUMNS, none)
            }
            Self::Create { endpoint, wish } => {
                let mut body = wish.body();
                body.insert("url".to_owned(), endpoint.as_str().into());
                let answer = api.post(As::Tenant, "/v1/webhooks", Some(body.into())).await?;
                let id = answer.id();
                if screen.form == Form::Quiet {
                    screen.line(id)?;
                }
                let next = format!("columba webhook test {id}");
                reply::once(screen, &answer, "/secret", &format!("made {id}"), &next)
            }
            Self::Show { id } => {
                let answer = api.get(As::Tenant, &at(*id)).await?;
                reply::one(screen, &answer, &FIELDS)
            }
            Self::Change(change) => change.run(api, screen).await,
            Self::Enable { id } => {
                let answer = api.post(As::Tenant, &format!("{}/enable", at(*id)), None).await?;
                let next = format!("what it missed: columba webhook redeliver {id} --from TIME --to TIME");
                reply::done(screen, &answer, &format!("enabled {id}"), &next)
            }
            Self::Disable { id } => {
                let body = json!({"status": "disabled"});
                let answer = api.call(As::Tenant, Method::PATCH, &at(*id), Some(body), None).await?;
                let next = format!("columba webhook enable {id}");
                reply::done(screen, &answer, &format!("disabled {id}"), &next)
            }
            Self::Delete { id, confirm } => {
                confirm.ask(&format!("Deleting {id} ends its secret, and what is pending is never sent."))?;
                api.delete(As::Tenant, &at(*id)).await?;
                reply::gone(screen, &format!("deleted {id}"))
            }
            Self::Rotate { id, overlap, confirm } => {
                if overlap.0 == 0 {
                    confirm.ask(&format!("Every older secret of {id} ends at once."))?;
                }
                let body = json!({"overlap_s": overlap.0});
                let answer = api.post(As::Tenant, &format!("{}/rotate", at(*id)), Some(body)).await?;
                let said = match &answer.value["overlap_until"] {
                    Value::String(end) => {
                        format!("made a new secret for {id}; older ones sign along until {end}")
                    }
                    _ => format!("made a new secret for {id}; older ones sign no more"),
                };
                reply::once(screen, &answer, "/secret", &said, &format!("columba webhook test {id}"))
            }
            Self::Test { id } => {
                let answer = api.post(As::Tenant, &format!("{}/test", at(*id)), None).await?;
                sent(screen, &answer)
            }
            Self::Deliveries { id, status, paging } => {
                let status = status.map(|status| format!("?status={status}")).unwrap_or_default();
                let path = format!("{}/deliveries{status}", at(*id));
                let bar = screen.reading(paging.all);
                let seen = |rows| bar.set_message(format!("{rows} deliveries"));
                let answer = api.list(As::Tenant, &path, *paging, seen).await?;
                bar.finish_and_clear();
                let none = format!("no such deliveries; try it: columba webhook test {id}");
                reply::list(screen, &answer, &DELIVERIES, &none)
            }
            Self::Delivery { id } => {
                let answer = api.get(As::Tenant, &format!("/v1/deliveries/{id}")).await?;
                reply::one(screen, &answer, &DELIVERY)?;
                if screen.is_human() {
                    for attempt in answer.value["log"].as_array().into_iter().flatten() {
                        screen.line(format_args!("  {}", told(attempt)))?;
                    }
                }
                Ok(())
            }
            Self::Redeliver { what, from, to, statuses } => {
                let span = (*from, *to);
                match (what, span) {
                    (Again::One(id), (None, None)) if statuses.is_empty() => {
                        let path = format!("/v1/deliveries/{id}/redeliver");
                        sent(screen, &api.post(As::Tenant, &path, None).await?)
                    }
                    (Again::Of(id), (Some(from), Some(to))) => {
                        repeat(api, screen, *id, (from, to), statuses).await
                    }
                    (Again::One(_), _) => {
                        Err(Failure::usage("one delivery is one event: it has no time to choose from")
                            .next("leave out --from, --to and --status, or give the id of its webhook"))
                    }
                    (Again::Of(id), _) => Err(Failure::usage("of which time is not said").next(format!(
                        "columba webhook redeliver {id} --from 2026-11-20T00:00:00Z --to 2026-11-22T00:00:00Z"
                    ))),
                }
            }
        }
    }
}

/// One event more is under way.
fn sent(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    let id = answer.id();
    reply::done(screen, answer, &format!("{id} is on its way"), &format!("columba webhook delivery {id}"))
}

/// One attempt, in a line.
fn told(attempt: &Value) -> String {
    let outcome =
        if attempt["status"].is_null() { cell(attempt, "/error") } else { cell(attempt, "/status") };
    format!("{}  {}  {outcome}  {} ms", attempt["number"], cell(attempt, "/at"), attempt["duration_ms"])
}

async fn repeat(
    api: &Api,
    screen: Screen,
    id: WebhookId,
    (from, to): (WallTime, WallTime),
    statuses: &[String],
) -> Result<(), Failure> {
    let mut body = json!({"from": from, "to": to});
    if !statuses.is_empty() {
        body["statuses"] = json!(statuses);
    }
    let answer = api.post(As::Tenant, &format!("{}/redeliver", at(id)), Some(body)).await?;
    let count = &answer.value["redelivered"];
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet => screen.line(count),
        Form::Human => {
            screen.line(format_args!("{count} are on their way"))?;
            match answer.value["next_from"].as_str() {
                Some(next) => {
                    screen.hint(format_args!("there are more: the same command with --from {next}"))
                }
                None => screen.hint(format_args!("next: columba webhook deliveries {id}")),
            }
            Ok(())
        }
    }
}
