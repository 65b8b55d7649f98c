//! `columba session`: a tenant's connected numbers.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::api::{Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::pairing::{self, Ways};
use super::plan::read_file;
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use super::words::words;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::SessionStatus;

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("LABEL", "/label"),
    ("ENGINE", "/engine"),
    ("STATUS", "/status"),
    ("REASON", "/reason"),
    ("SINCE", "/since"),
];
const FLEET: [Column; 6] = [
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("LABEL", "/label"),
    ("STATUS", "/status"),
    ("REASON", "/reason"),
    ("SINCE", "/since"),
];
const FIELDS: [Column; 15] = [
    ("id", "/id"),
    ("label", "/label"),
    ("engine", "/engine"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("reason code", "/reason_code"),
    ("since", "/since"),
    ("restriction", "/restriction"),
    ("paired", "/paired"),
    ("proxy", "/proxy"),
    ("sent", "/counters/sent"),
    ("failed", "/counters/failed"),
    ("received", "/counters/received"),
    ("reconnects", "/counters/reconnects"),
    ("created", "/created_at"),
];

/// A tenant's connected numbers. All but `list` need the tenant's key.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List a tenant's sessions with its key, or the fleet's as the operator.
    List {
        /// As the operator: those of one tenant.
        #[arg(long, value_name = "ten_…")]
        tenant: Option<TenantId>,
        /// As the operator: those in one status.
        #[arg(long, value_parser = words::<SessionStatus>())]
        status: Option<SessionStatus>,
        /// As the operator: those of all tenants, though a key is set.
        #[arg(long)]
        fleet: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one.
    Show {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
    },
    /// Make one; it is paired next.
    Create {
        /// What people call it.
        label: String,
        /// What speaks to the network.
        #[arg(long)]
        engine: Option<String>,
        /// A note to keep with it; may be given often.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        metadata: Vec<(String, String)>,
    },
    /// Start one, from now on and after every boot.
    Start {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        /// Show the code to scan, and stay until it is connected.
        #[arg(long)]
        qr: bool,
        #[command(flatten)]
        ways: Ways,
    },
    /// Start one if need be, show the code to scan, and stay until it is connected.
    Pair {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        #[command(flatten)]
        ways: Ways,
    },
    /// Stop one; its credentials stay.
    Stop {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
    },
    /// Start one anew with the credentials it has.
    Restart {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
    },
    /// Give up its credentials: a person has to pair it again.
    Logout {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Cancel every message that waits in one.
    ClearQueue {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// As the operator: set the proxy that all of one's traffic goes through, or take it away.
    Proxy {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        /// The file that holds the proxy's address, such as socks5://user:password@host:1080; - for standard input. It never stands
        /// on the command line, which others can read.
        #[arg(long, value_name = "FILE", required_unless_present = "clear", conflicts_with = "clear")]
        from: Option<PathBuf>,
        /// Connect directly from now on.
        #[arg(long)]
        clear: bool,
    },
    /// Delete one with its credentials, for good.
    Delete {
        /// Which.
        #[arg(value_name = "ses_…")]
        id: SessionId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn at(id: SessionId) -> String {
    format!("/v1/sessions/{id}")
}

impl Session {
    /// Does it. `keyed`: a tenant's key was given.
    pub async fn run(&self, api: &Api, screen: Screen, keyed: bool) -> Result<(), Failure> {
        match self {
            Self::List { tenant, status, fleet, paging } => {
                let wanted = Wanted { tenant: *tenant, status: *status, fleet: *fleet, paging: *paging };
                list(api, screen, keyed, wanted).await
            }
            Self::Show { id } => {
                let answer = api.get(As::Tenant, &at(*id)).await?;
                reply::one(screen, &answer, &FIELDS)
            }
            Self::Create { label, engine, metadata } => {
                let mut body = json!({"label": label});
                if let Some(engine) = engine {
                    body["engine"] = engine.as_str().into();
                }
                if !metadata.is_empty() {
                    let notes =
                        metadata.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
                    body["metadata"] = notes.collect::<Map<_, _>>().into();
                }
                let answer = api.post(As::Tenant, "/v1/sessions", Some(body)).await?;
                let id = answer.id();
                reply::done(screen, &answer, &format!("made {id}"), &format!("columba session pair {id}"))
            }
            Self::Start { id, qr: true, ways } | Self::Pair { id, ways } => {
                pairing::run(api, screen, *id, ways).await
            }
            Self::Start { id, qr: false, .. } => {
                let next = format!("columba session show {id}; if it is pairing: columba session pair {id}");
                act(api, screen, *id, "start", "starting", &next).await
            }
            Self::Stop { id } => act(api, screen, *id, "stop", "stopping", "").await,
            Self::Restart { id } => act(api, screen, *id, "restart", "restarting", "").await,
            Self::Logout { id, confirm } => {
                confirm.ask(&format!(
                    "Logging {id} out gives up its credentials: a person has to pair it again."
                ))?;
                act(api, screen, *id, "logout", "logging out", &format!("columba session pair {id}")).await
            }
            Self::ClearQueue { id, confirm } => {
                confirm.ask(&format!("Every message that waits in {id} is canceled."))?;
                let answer = api.delete(As::Tenant, &format!("{}/queue", at(*id))).await?;
                if screen.is_human() {
                    return screen.line(format_args!("canceled {}", answer.value["canceled"]));
                }
                reply::one(screen, &answer, &[])
            }
            Self::Proxy { id, from, clear: _ } => proxy(api, screen, *id, from.as_deref()).await,
            Self::Delete { id, confirm } => {
                confirm
                    .ask(&format!("Deleting {id} destroys its credentials and cancels what waits in it."))?;
                api.delete(As::Tenant, &at(*id)).await?;
                reply::gone(screen, &format!("deleted {id}"))
            }
        }
    }
}

async fn act(
    api: &Api,
    screen: Screen,
    id: SessionId,
    verb: &str,
    said: &str,
    next: &str,
) -> Result<(), Failure> {
    let answer = api.post(As::Tenant, &format!("{}/{verb}", at(id)), None).await?;
    reply::done(screen, &answer, &format!("{said} {id}"), next)
}

/// Sets the proxy whose address is in a file, or takes it away.
async fn proxy(api: &Api, screen: Screen, id: SessionId, from: Option<&Path>) -> Result<(), Failure> {
    let path = format!("/v1/admin/sessions/{id}/proxy");
    let (answer, what) = match from {
        Some(file) => {
            let url = read_file(file).map(Zeroizing::new)?;
            let body = json!({"url": url.trim()});
            (api.call(As::Operator, Method::PUT, &path, Some(body), None).await?, "set the proxy of")
        }
        None => (api.delete(As::Operator, &path).await?, "took away the proxy of"),
    };
    let next = format!(
        "columba session restart {id}, with the tenant's key: one that is connected keeps its line until then"
    );
    reply::done(screen, &answer, &format!("{what} {id}"), &next)
}

struct Wanted {
    tenant: Option<TenantId>,
    status: Option<SessionStatus>,
    fleet: bool,
    paging: Paging,
}

async fn list(api: &Api, screen: Screen, keyed: bool, wanted: Wanted) -> Result<(), Failure> {
    let Wanted { tenant, status, fleet, paging } = wanted;
    let as_operator = fleet || tenant.is_some() || status.is_some() || !keyed;
    let none = "no sessions yet; make one with a tenant's key: columba session create LABEL";
    let bar = screen.reading(paging.all);
    let seen = |rows| bar.set_message(format!("{rows} sessions"));
    if !as_operator {
        let answer = api.list(As::Tenant, "/v1/sessions", paging, seen).await?;
        bar.finish_and_clear();
        return reply::list(screen, &answer, &COLUMNS, none);
    }
    let filters =
        [("tenant", tenant.map(|id| id.to_string())), ("status", status.map(|word| word.to_string()))];
    let query: Vec<String> =
        filters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
    let path = format!("/v1/admin/sessions{}{}", if query.is_empty() { "" } else { "?" }, query.join("&"));
    let answer = api.list(As::Operator, &path, paging, seen).await?;
    bar.finish_and_clear();
    reply::list(screen, &answer, &FLEET, none)
}
