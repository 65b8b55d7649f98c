//! `columba subscription`: what tenants have agreed to.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api, escaped};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::{Form, Screen};
use super::target::As;
use crate::domain::id::TenantId;

const FIELDS: [Column; 12] = [
    ("tenant", "/tenant"),
    ("status", "/status"),
    ("since", "/since"),
    ("plan", "/deal/plan"),
    ("price", "/deal/price_minor"),
    ("interval", "/deal/interval"),
    ("month", "/month/start"),
    ("paid until", "/charged/term/end"),
    ("trial until", "/trial_end"),
    ("next plan", "/next_plan"),
    ("ends", "/ends"),
    ("owed", "/balances/0/owed_minor"),
];
const PREVIEW: [Column; 5] = [
    ("at", "/at"),
    ("before tax", "/account/subtotal_minor"),
    ("tax", "/account/tax_minor"),
    ("from credit", "/account/applied_minor"),
    ("to be paid", "/due_minor"),
];

/// What tenants have agreed to. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Subscription {
    /// Show one, and what is owed.
    Show {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
    },
    /// Say what another plan would cost now; changes nothing.
    Preview {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        /// Code of the plan.
        #[arg(long, value_name = "CODE")]
        plan: String,
    },
    /// Give it another plan: now, paid from now on, or with the next period.
    Change {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        /// Code of the plan.
        #[arg(long, value_name = "CODE", required_unless_present = "keep")]
        plan: Option<String>,
        /// When it begins; as soon as nothing is to be given back for it, if it is not said.
        #[arg(long, value_parser = ["now", "period_end"], requires = "plan")]
        when: Option<String>,
        /// Take back the plan that was to begin with the next period.
        #[arg(long, conflicts_with = "plan")]
        keep: bool,
    },
    /// End it with the period that is paid for, or now. Nothing is given back by itself.
    Cancel {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        /// End it at once: nothing is sent from then on.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Begin again after the end, or go on although the end was planned.
    Reactivate {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        /// Code of the plan; the one it had, if it is not said.
        #[arg(long, value_name = "CODE")]
        plan: Option<String>,
    },
}

fn at(tenant: TenantId) -> String {
    format!("/v1/admin/tenants/{tenant}/subscription")
}

impl Subscription {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Show { tenant } => shown(screen, &api.get(As::Operator, &at(*tenant)).await?),
            Self::Preview { tenant, plan } => {
                let path = format!("{}/preview?plan={}", at(*tenant), escaped(plan));
                reply::one(screen, &api.get(As::Operator, &path).await?, &PREVIEW)
            }
            Self::Change { tenant, plan, when, keep: _ } => {
                let mut body = Map::from_iter([("plan".to_owned(), json!(plan))]);
                body.extend(when.iter().map(|when| ("when".to_owned(), Value::from(when.as_str()))));
                let answer =
                    api.call(As::Operator, Method::PATCH, &at(*tenant), Some(body.into()), None).await?;
                shown(screen, &answer)
            }
            Self::Cancel { tenant, now, confirm } => {
                let what = match now {
                    true => {
                        format!("Ending the subscription of {tenant} now stops its sessions and its sending.")
                    }
                    false => {
                        format!("The subscription of {tenant} will end with the period that is paid for.")
                    }
                };
                confirm.ask(&what)?;
                let body = json!({"when": if *now { "now" } else { "period_end" }});
                let answer = api.post(As::Operator, &format!("{}/cancel", at(*tenant)), Some(body)).await?;
                shown(screen, &answer)
            }
            Self::Reactivate { tenant, plan } => {
                let known = api.get(As::Operator, &at(*tenant)).await?;
                let answer = if known.value["status"] == "canceled" {
                    let body = plan.as_ref().map(|plan| json!({"plan": plan}));
                    api.post(As::Operator, &format!("{}/reactivate", at(*tenant)), body).await?
                } else {
                    let body = Some(json!({"ends": false}));
                    api.call(As::Operator, Method::PATCH, &at(*tenant), body, None).await?
                };
                shown(screen, &answer)
            }
        }
    }
}

/// A subscription has its tenant's id.
fn shown(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    match screen.form {
        Form::Quiet => screen.line(answer.value["tenant"].as_str().unwrap_or_default()),
        _ => reply::one(screen, answer, &FIELDS),
    }
}
