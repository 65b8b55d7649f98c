//! `columba operator`: people who sign in, and programs with a token of their own. A token or a link is shown once.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, PAGE, Paging};
use super::confirm::Confirm;
use super::exit::{Exit, Failure};
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use super::words::words;
use crate::domain::id::OperatorId;
use crate::domain::operator::Role;
use crate::domain::time::WallTime;

const COLUMNS: [Column; 7] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ROLE", "/role"),
    ("EMAIL", "/email"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
];

const OPEN: &str = "open it in a browser, behind the server's address as browsers see it";

/// What is not given is not sent.
fn without_nulls(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

/// People who sign in, and programs with an operator's token of their own. All of these need an operator's token.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// List them, newest first; those that were deleted too.
    List(Paging),
    /// Make one. The token, or for a person the link to their first password, is shown once: keep it now.
    Create {
        /// What they are called, in the audit too.
        name: String,
        /// What they may do: viewer look, support also run sessions, admin all but operators and the server, owner everything.
        #[arg(long, value_parser = words::<Role>(), default_value = "viewer")]
        role: Role,
        /// A person signs in with this address, and gets an invitation in place of a token. Nothing is sent there.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// From then on they are refused: RFC 3339, such as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<WallTime>,
    },
    /// Change what one is called or may do.
    Change {
        /// Which.
        #[arg(value_name = "opr_…")]
        id: OperatorId,
        /// What they are called.
        #[arg(long, required_unless_present = "role")]
        name: Option<String>,
        /// What they may do.
        #[arg(long, value_parser = words::<Role>())]
        role: Option<Role>,
    },
    /// Let a person who forgot their password choose another: prints a link. The old one and their sign-ins end now.
    Reset {
        /// What they sign in with.
        #[arg(value_name = "ADDRESS")]
        email: String,
        /// They have lost their phone and the codes on paper too: ask for no second factor any more.
        #[arg(long)]
        remove_second_factor: bool,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Make a new link to the first account, while there is no person. The one before opens nothing any more.
    SetupLink,
    /// Refuse one from now on, for good, wherever they are signed in.
    Delete {
        /// Which.
        #[arg(value_name = "opr_…")]
        id: OperatorId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

impl Operator {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        const PATH: &str = "/v1/admin/operators";
        match self {
            Self::List(paging) => {
                let answer = api.list(As::Operator, PATH, *paging, |_| ()).await?;
                // `root` is always there.
                reply::list(screen, &answer, &COLUMNS, "no operators; make one: columba operator create NAME")
            }
            Self::Create { name, role, email, expires_at } => {
                let mut body = json!({"name": name, "role": role});
                if let Some(email) = email {
                    body["email"] = json!(email);
                }
                if let Some(end) = expires_at {
                    body["expires_at"] = json!(end);
                }
                let answer = api.post(As::Operator, PATH, Some(body)).await?;
                if email.is_some() {
                    let what = format!(
                        "made {}; the path of their link, good for 48 hours, at {}",
                        answer.id(),
                        api.url()
                    );
                    return reply::once(screen, &answer, "/invitation", &what, OPEN);
                }
                let next = "export COLUMBA_TOKEN=… with it, then columba tenant list";
                reply::once(screen, &answer, "/token", &format!("made {}", answer.id()), next)
            }
            Self::Change { id, name, role } => {
                let body = json!({"name": name, "role": role});
                let body = Some(without_nulls(body));
                let answer =
                    api.call(As::Operator, Method::PATCH, &format!("{PATH}/{id}"), body, None).await?;
                reply::done(screen, &answer, &format!("changed {id}"), "")
            }
            Self::Reset { email, remove_second_factor, confirm } => {
                let all = api.list(As::Operator, PATH, Paging { limit: PAGE, all: true }, |_| ()).await?;
                let theirs = |row: &&Value| {
                    let same =
                        row["email"].as_str().is_some_and(|known| known == email.trim().to_lowercase());
                    same && row["revoked_at"].is_null()
                };
                let Some(id) = all.rows().iter().find(theirs).and_then(|row| row["id"].as_str()) else {
                    let detail = "nobody signs in with this address";
                    return Err(Failure::new(Exit::Absent, "not_found", detail)
                        .next("which there are: columba operator list"));
                };
                confirm.ask(&format!("The password of {email} and wherever they are signed in end now."))?;
                let body = json!({"remove_second_factor": remove_second_factor});
                let answer = api.post(As::Operator, &format!("{PATH}/{id}/invitation"), Some(body)).await?;
                let what = format!("the path of their link, good for 48 hours, at {}", api.url());
                reply::once(screen, &answer, "/invitation", &what, OPEN)
            }
            Self::SetupLink => {
                let answer = api.post(As::Operator, &format!("{PATH}/setup-link"), None).await?;
                let what = format!("the path of the page for the first account, good once, at {}", api.url());
                reply::once(screen, &answer, "/setup", &what, OPEN)
            }
            Self::Delete { id, confirm } => {
                confirm
                    .ask(&format!("{id} is refused from now on, for good, wherever they are signed in."))?;
                api.delete(As::Operator, &format!("{PATH}/{id}")).await?;
                reply::gone(screen, &format!("deleted {id}"))
            }
        }
    }
}
