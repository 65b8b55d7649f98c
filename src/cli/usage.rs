//! `columba usage`: what a tenant has used of its month, and by day and session.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::api::{Answer, Api, Paging, escaped};
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::{Form, Screen};
use super::target::As;
use crate::domain::id::TenantId;

const FIELDS: [Column; 17] = [
    ("month from", "/period/start"),
    ("month until", "/period/end"),
    ("messages", "/messages/used"),
    ("on their way", "/messages/held"),
    ("of", "/messages/limit"),
    ("left", "/messages/remaining"),
    ("sessions", "/sessions/used"),
    ("of", "/sessions/limit"),
    ("webhooks", "/webhooks/used"),
    ("of", "/webhooks/limit"),
    ("seats", "/seats/used"),
    ("of", "/seats/limit"),
    ("attempts this minute", "/minute/attempts"),
    ("of", "/minute/limit"),
    ("sent today", "/day/sent"),
    ("failed today", "/day/failed"),
    ("came in today", "/day/received"),
];
const DAYS: [Column; 5] = [
    ("DAY", "/day"),
    ("SESSION", "/session"),
    ("SENT", "/sent"),
    ("FAILED", "/failed"),
    ("CAME IN", "/received"),
];

/// What a tenant has used. With its key, or as the operator with --tenant.
#[derive(Debug, Subcommand)]
pub enum Usage {
    /// Show the month so far, today and this minute.
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Show it by day and session, or write it into a file.
    Days {
        #[command(flatten)]
        whose: Whose,
        /// The first day, such as 2026-11-01; the first of this month, if it is not said.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The last day; today, if it is not said.
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
        #[command(flatten)]
        paging: Paging,
        /// All of it for a spreadsheet (csv) or a program (ndjson).
        #[arg(long, value_parser = ["csv", "ndjson"], conflicts_with_all = ["limit", "all", "json", "quiet"])]
        export: Option<String>,
        /// The file that an export goes to; standard output, if it is not said.
        #[arg(long, value_name = "FILE", requires = "export")]
        to: Option<PathBuf>,
    },
}

/// Whose usage.
#[derive(Debug, Clone, Copy, Args)]
pub struct Whose {
    /// As the operator: that of this tenant.
    #[arg(long, value_name = "ten_…")]
    tenant: Option<TenantId>,
}

impl Whose {
    fn who(self) -> As {
        self.tenant.map_or(As::Tenant, As::OnBehalf)
    }
}

impl Usage {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Show { whose } => {
                let answer = api.get(whose.who(), "/v1/usage").await?;
                match screen.form {
                    // A month has no id.
                    Form::Quiet => screen.line(&answer.value["messages"]["used"]),
                    _ => reply::one(screen, &answer, &FIELDS),
                }
            }
            Self::Days { whose, from, until, paging, export, to } => {
                let days = [("from", from), ("to", until)];
                let query: Vec<_> = days
                    .into_iter()
                    .filter_map(|(name, day)| Some(format!("{name}={}", escaped(day.as_deref()?))))
                    .collect();
                let joint = if query.is_empty() { "" } else { "?" };
                let path = format!("/v1/usage/days{joint}{}", query.join("&"));
                let Some(form) = export else {
                    let answer = api.list(whose.who(), &path, *paging, |_| ()).await?;
                    return days_of(screen, &answer);
                };
                let accept = if form == "csv" { "text/csv" } else { "application/x-ndjson" };
                let table = api.fetch(whose.who(), &path, accept).await?;
                let to = to.clone().unwrap_or_else(|| "-".into());
                reply::written(screen, &to, &table)
            }
        }
    }
}

fn days_of(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    match screen.form {
        // A day has no id.
        Form::Quiet => {
            { answer.rows().iter() }.try_for_each(|row| screen.line(row["day"].as_str().unwrap_or_default()))
        }
        _ => reply::list(screen, answer, &DAYS, "nothing was sent or came in on these days"),
    }
}
