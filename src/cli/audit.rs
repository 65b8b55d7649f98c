//! `columba audit`: what operators did, and whether it still stands as it was written.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::api::{Api, PAGE, Paging, escaped, not_ours};
use super::exit::{Exit, Failure};
use super::reply::{self, Column};
use super::screen::{Form, Screen};
use super::settings::Settings;
use super::target::{As, Target};
use super::words::words;
use crate::app::{self, audit};
use crate::domain::audit::{Action, Entry, Head, Walk};

const COLUMNS: [Column; 6] = [
    ("NUMBER", "/seq"),
    ("AT", "/at"),
    ("WHO", "/actor/name"),
    ("FROM", "/address"),
    ("DID", "/action"),
    ("TO", "/subject/id"),
];

/// What operators did. These need an operator's token.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List it, newest first; --json has what was before and after.
    List {
        /// Of this operator: an id or a name.
        #[arg(long, value_name = "WHO")]
        actor: Option<String>,
        /// Of this action.
        #[arg(long, value_name = "ACTION", value_parser = words::<Action>())]
        action: Option<Action>,
        /// On this tenant, key, plan or operator, by its id.
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Walk the log from its first entry, and say where it ends or which entry does not fit.
    ///
    /// Keep the line it prints elsewhere, and give it back with --head next time: whoever can write to the database can
    /// write all of it anew, and only a head kept elsewhere tells.
    Verify {
        /// A head that was kept: the log has to pass through it. May be given more than once.
        #[arg(long = "head", value_name = "NUMBER:HASH")]
        heads: Vec<Head>,
        /// Read the database in --data, without a server; a server may be at work on it.
        #[arg(long)]
        offline: bool,
        /// With --offline: the settings, if they say where the database lies.
        #[arg(long, value_name = "FILE", requires = "offline")]
        config: Option<PathBuf>,
    },
}

impl Audit {
    /// Does it.
    pub fn run(&self, target: &Target) -> Result<(), Failure> {
        let screen = target.screen();
        match self {
            Self::List { actor, action, subject, paging } => {
                let given = [
                    ("actor", actor.clone()),
                    ("action", action.map(|action| action.to_string())),
                    ("subject", subject.clone()),
                ];
                let given = given
                    .into_iter()
                    .filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))))
                    .collect::<Vec<_>>()
                    .join("&");
                let joint = if given.is_empty() { "" } else { "?" };
                let path = format!("/v1/admin/audit{joint}{given}");
                let api = target.api()?;
                let listed = app::block_on(api.list(As::Operator, &path, *paging, |_| ()))?;
                reply::list(screen, &listed, &COLUMNS, "nothing yet that fits")
            }
            Self::Verify { heads, offline: true, config } => {
                let settings = Settings { config: config.clone(), listen: None };
                let config = settings.load()?.config;
                let walked = app::block_on(audit::verify(&config, &target.data(), heads.clone()));
                say(screen, walked.map_err(unwalked)?)
            }
            Self::Verify { heads, .. } => {
                say(screen, app::block_on(over_http(&target.api()?, screen, heads.clone()))?)
            }
        }
    }
}

/// Why the file could not be read, and what to do.
fn unwalked(failure: app::exit::Failure) -> Failure {
    let failure = Failure::from(failure);
    let next = match failure.exit {
        Exit::Usage => "point --data at the server's data directory",
        _ => {
            "a database of an older version has no audit log until a server of this version has been started on it"
        }
    };
    failure.next(next)
}

fn say(screen: Screen, found: audit::Found) -> Result<(), Failure> {
    match found {
        Ok(head) => match screen.form {
            Form::Json => screen.line(json!({"head": head})),
            Form::Quiet => screen.line(head),
            Form::Human => {
                let entries = match head.seq {
                    0 => "no entry yet".to_owned(),
                    1 => "1 entry, and it fits".to_owned(),
                    many => format!("{many} entries, each fits"),
                };
                screen.line(format_args!("{entries}\nhead {head}"))?;
                screen.hint(format_args!("keep it elsewhere; next time: columba audit verify --head {head}"));
                Ok(())
            }
        },
        Err(misfit) => {
            let mut failure =
                Failure::new(Exit::No, "audit_changed", format!("the audit log was changed: {misfit}"))
                    .next("keep the database as it is, and compare with a backup from before");
            failure.document = Some(Box::new(json!({
                "type": "urn:columba:cli:audit_changed", "code": "audit_changed", "detail": failure.detail,
                "retryable": false, "misfit": {"seq": misfit.seq, "why": misfit.why},
            })));
            Err(failure)
        }
    }
}

/// Walks the log of a server.
async fn over_http(api: &Api, screen: Screen, mut known: Vec<Head>) -> Result<audit::Found, Failure> {
    // The server may go on writing: the log has to reach what was its end before, and nothing beyond what is now.
    let end: Head = read(api, "/v1/admin/audit/head").await?;
    let bar = screen.progress(Some(end.seq), "verifying");
    known.push(end);
    let mut walk = Walk::through(known);
    let mut cursor = None;
    loop {
        let beyond = cursor.map(|cursor: String| format!("&cursor={}", escaped(&cursor))).unwrap_or_default();
        let page: PageOfEntries =
            read(api, &format!("/v1/admin/audit?order=asc&limit={PAGE}{beyond}")).await?;
        for entry in &page.data {
            if let Err(misfit) = walk.step(entry) {
                return Ok(Err(misfit));
            }
        }
        bar.inc(page.data.len() as u64);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    let now: Head = read(api, "/v1/admin/audit/head").await?;
    let reached = if now.seq > walk.head().seq { walk.head() } else { now };
    Ok(walk.end(reached))
}

#[derive(Deserialize)]
struct PageOfEntries {
    data: Vec<Entry>,
    next_cursor: Option<String>,
}

/// What the server answers, byte for byte where an entry keeps bytes.
async fn read<T: DeserializeOwned>(api: &Api, path: &str) -> Result<T, Failure> {
    let answer = api.get(As::Operator, path).await?;
    serde_json::from_str(&answer.text).map_err(|_| not_ours(api.url()))
}
