//! `columba tenant`: customers of the operator.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use crate::domain::id::TenantId;

const COLUMNS: [Column; 5] =
    [("ID", "/id"), ("NAME", "/name"), ("PLAN", "/plan"), ("STATUS", "/status"), ("CREATED", "/created_at")];
const FIELDS: [Column; 5] =
    [("id", "/id"), ("name", "/name"), ("plan", "/plan"), ("status", "/status"), ("created", "/created_at")];

/// Customers of the operator. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// List them, newest first.
    List(Paging),
    /// Make one under a plan.
    Create {
        /// What the operator calls them.
        name: String,
        /// Code of the plan.
        #[arg(long, value_name = "CODE")]
        plan: String,
    },
    /// Show one.
    Show {
        /// Which.
        #[arg(value_name = "ten_…")]
        id: TenantId,
    },
    /// Give one another name or plan; the new plan's caps bind at once.
    Change {
        /// Which.
        #[arg(value_name = "ten_…")]
        id: TenantId,
        /// The new name.
        #[arg(long, required_unless_present = "plan")]
        name: Option<String>,
        /// Code of the new plan.
        #[arg(long, value_name = "CODE")]
        plan: Option<String>,
    },
    /// Refuse every call of theirs and stop their sessions; nothing is lost.
    Suspend {
        /// Which.
        #[arg(value_name = "ten_…")]
        id: TenantId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// End a suspension: their sessions start again.
    Resume {
        /// Which.
        #[arg(value_name = "ten_…")]
        id: TenantId,
    },
    /// Delete one with all its sessions and credentials, for good.
    Delete {
        /// Which.
        #[arg(value_name = "ten_…")]
        id: TenantId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

fn at(id: TenantId) -> String {
    format!("/v1/admin/tenants/{id}")
}

impl Tenant {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::List(paging) => {
                let bar = screen.reading(paging.all);
                let seen = |rows| bar.set_message(format!("{rows} tenants"));
                let answer = api.list(As::Operator, "/v1/admin/tenants", *paging, seen).await?;
                bar.finish_and_clear();
                reply::list(
                    screen,
                    &answer,
                    &COLUMNS,
                    "no tenants yet; make one: columba tenant create NAME --plan CODE",
                )
            }
            Self::Create { name, plan } => {
                let body = json!({"name": name, "plan": plan});
                let answer = api.post(As::Operator, "/v1/admin/tenants", Some(body)).await?;
                let id = answer.id();
                let next = format!("columba key create --tenant {id} --name first");
                reply::done(screen, &answer, &format!("made {id}"), &next)
            }
            Self::Show { id } => {
                let answer = api.get(As::Operator, &at(*id)).await?;
                reply::one(screen, &answer, &FIELDS)
            }
            Self::Change { id, name, plan } => {
                let given = [("name", name), ("plan", plan)].into_iter();
                let body: Map<String, Value> = given
                    .filter_map(|(field, value)| Some((field.to_owned(), value.clone()?.into())))
                    .collect();
                let answer = api.call(As::Operator, Method::PATCH, &at(*id), Some(body.into()), None).await?;
                reply::one(screen, &answer, &FIELDS)
            }
            Self::Suspend { id, confirm } => {
                confirm.ask(&format!("Suspending {id} refuses all its calls and stops its sessions."))?;
                let answer = api.post(As::Operator, &format!("{}/suspend", at(*id)), None).await?;
                reply::done(
                    screen,
                    &answer,
                    &format!("suspended {id}"),
                    &format!("columba tenant resume {id}"),
                )
            }
            Self::Resume { id } => {
                let answer = api.post(As::Operator, &format!("{}/resume", at(*id)), None).await?;
                reply::done(screen, &answer, &format!("resumed {id}"), "")
            }
            Self::Delete { id, confirm } => {
                confirm.ask(&format!(
                    "Deleting {id} destroys its sessions, their credentials and its messages."
                ))?;
                let bar = screen.progress(None, "deleting");
                api.delete(As::Operator, &at(*id)).await?;
                bar.finish_and_clear();
                reply::gone(screen, &format!("deleted {id}"))
            }
        }
    }
}
