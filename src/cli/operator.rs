//! `columba operator`: people and programs with a token of their own. A token's text is shown once.

use clap::Subcommand;
use serde_json::json;

use super::api::{Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use super::words::words;
use crate::domain::id::OperatorId;
use crate::domain::operator::Role;
use crate::domain::time::WallTime;

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ROLE", "/role"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
];

/// People and programs with an operator's token of their own. All of these need an operator's token.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// List them, newest first; those that were deleted too.
    List(Paging),
    /// Make one. Its token is shown once: keep it now.
    Create {
        /// What they are called, in the audit too.
        name: String,
        /// What they may do: viewer look, support also run sessions, admin all but operators and the server, owner everything.
        #[arg(long, value_parser = words::<Role>(), default_value = "viewer")]
        role: Role,
        /// From then on the token is refused: RFC 3339, such as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<WallTime>,
    },
    /// Refuse one's token from now on, for good.
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
            Self::Create { name, role, expires_at } => {
                let mut body = json!({"name": name, "role": role});
                if let Some(end) = expires_at {
                    body["expires_at"] = json!(end);
                }
                let answer = api.post(As::Operator, PATH, Some(body)).await?;
                let next = "export COLUMBA_TOKEN=… with it, then columba tenant list";
                reply::once(screen, &answer, "/token", &format!("made {}", answer.id()), next)
            }
            Self::Delete { id, confirm } => {
                confirm.ask(&format!("Whoever uses the token of {id} is refused from now on, for good."))?;
                api.delete(As::Operator, &format!("{PATH}/{id}")).await?;
                reply::gone(screen, &format!("deleted {id}"))
            }
        }
    }
}
