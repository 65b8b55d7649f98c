//! `columba plan`: what tenants can buy.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value};

use super::api::{Api, Paging, escaped};
use super::confirm::Confirm;
use super::exit::{Exit, Failure};
use super::reply::{self, Column};
use super::screen::{Form, Screen, cell};
use super::target::As;

const COLUMNS: [Column; 6] = [
    ("CODE", "/code"),
    ("NAME", "/name"),
    ("PRICE", "/price_minor"),
    ("PER MINUTE", "/messages_per_minute"),
    ("PER MONTH", "/messages_per_month"),
    ("SESSIONS", "/sessions_max"),
];
const FIELDS: [Column; 20] = [
    ("code", "/code"),
    ("name", "/name"),
    ("price", "/price_minor"),
    ("interval", "/interval"),
    ("messages per minute", "/messages_per_minute"),
    ("of the tenant", "/messages_per_minute_tenant"),
    ("messages per month", "/messages_per_month"),
    ("quota", "/quota"),
    ("queue", "/queue_max"),
    ("sessions", "/sessions_max"),
    ("webhooks", "/webhooks_max"),
    ("seats", "/seats_max"),
    ("pacing", "/pacing"),
    ("largest file (bytes)", "/media_bytes_max"),
    ("files (bytes)", "/media_bytes_total"),
    ("overage", "/overage_minor"),
    ("trial (days)", "/trial_days"),
    ("inbound while suspended", "/suspended_inbound"),
    ("retention (days)", "/retention_days"),
    ("plugins", "/plugins"),
];

const TIERS: [Column; 3] =
    [("BEYOND THE QUOTA, UP TO", "/up_to"), ("PRICE", "/price_minor"), ("FOR MESSAGES", "/per")];

/// What tenants can buy. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// List them by their codes.
    List(Paging),
    /// Show one.
    Show {
        /// Its code.
        code: String,
    },
    /// Make one. What is not said is free, monthly, and kept for 30 days.
    Create {
        /// Its code, for ever: a-z, 0-9, _ and -.
        code: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Remove one that no tenant has, nor begins with next. Invoices keep its name.
    Delete {
        /// Its code.
        code: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Change one: what is not said stays. Caps bind its tenants within a second, price and quota from the next month.
    Put {
        /// Its code.
        code: String,
        #[command(flatten)]
        terms: Terms,
    },
}

/// The fields of a plan.
#[derive(Debug, Args)]
pub struct Terms {
    /// A JSON file with the plan, or - for standard input; flags win over it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// Price per interval, in cents or whatever the currency's minor unit is.
    #[arg(long, value_name = "N")]
    price_minor: Option<i64>,
    /// ISO 4217 code.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// How often the price falls due.
    #[arg(long, value_parser = ["month", "year"])]
    interval: Option<String>,
    /// Send attempts of a session in any 60 s.
    #[arg(long, value_name = "N")]
    messages_per_minute: Option<u32>,
    /// Send attempts of all sessions of a tenant in any 60 s.
    #[arg(long, value_name = "N")]
    messages_per_minute_tenant: Option<u32>,
    /// Messages of a calendar month.
    #[arg(long, value_name = "N")]
    messages_per_month: Option<u64>,
    /// What happens beyond them.
    #[arg(long, value_parser = ["hard", "soft"])]
    quota: Option<String>,
    /// Messages that may wait in a session.
    #[arg(long, value_name = "N")]
    queue_max: Option<u32>,
    /// Sessions a tenant may have.
    #[arg(long, value_name = "N")]
    sessions_max: Option<u32>,
    /// Webhook endpoints a tenant may have; 8, if it is not said, and there are never more.
    #[arg(long, value_name = "N")]
    webhooks_max: Option<u32>,
    /// Keys of a tenant that live at once, not counting test keys; any number, if it is not said.
    #[arg(long, value_name = "N")]
    seats_max: Option<u32>,
    /// How messages are spaced; none is for the sandbox only.
    #[arg(long, value_parser = ["human", "none"])]
    pacing: Option<String>,
    /// People who never wrote that a session may write to in any 24 h; what its number's age allows, if it is not said.
    #[arg(long, value_name = "N")]
    first_contacts_per_day: Option<u32>,
    /// Bytes of the largest file; 16 MiB, if it is not said.
    #[arg(long, value_name = "BYTES")]
    media_bytes_max: Option<u64>,
    /// Bytes of all files of a tenant that are kept at once; 1 GiB, if it is not said.
    #[arg(long, value_name = "BYTES")]
    media_bytes_total: Option<u64>,
    /// Price of a message beyond a soft quota, in the minor unit.
    #[arg(long, value_name = "N")]
    overage_minor: Option<i64>,
    /// Prices of messages beyond a soft quota, as JSON: [{"up_to": 50000, "price_minor": 40, "per": 100}, {"price_minor": 25, "per": 100}].
    #[arg(long, value_name = "JSON", value_parser = read_tiers, conflicts_with = "overage_minor")]
    overage_tiers: Option<Value>,
    /// Days a new tenant may try it before the first invoice.
    #[arg(long, value_name = "N")]
    trial_days: Option<u32>,
    /// What sessions do while their tenant is suspended for not paying: stop, or stay connected and take what comes in.
    #[arg(long, value_parser = ["park", "keep"])]
    suspended_inbound: Option<String>,
    /// Days a message's content is kept.
    #[arg(long, value_name = "N")]
    retention_days: Option<u32>,
    /// A plugin that its tenants may switch on; repeat it for each.
    #[arg(long = "plugin", value_name = "NAME")]
    plugins: Vec<String>,
}

impl Terms {
    /// The plan: `base`, the file over it, the flags over that.
    fn over(&self, mut base: Map<String, Value>) -> Result<Value, Failure> {
        if let Some(path) = &self.file {
            match read_json(path)? {
                Value::Object(fields) => base.extend(fields),
                _ => return Err(Failure::usage(format!("{} holds no JSON object", path.display()))),
            }
        }
        let flags: [(&str, Option<Value>); 22] = [
            ("name", self.name.clone().map(Value::from)),
            ("price_minor", self.price_minor.map(Value::from)),
            ("currency", self.currency.clone().map(Value::from)),
            ("interval", self.interval.clone().map(Value::from)),
            ("messages_per_minute", self.messages_per_minute.map(Value::from)),
            ("messages_per_minute_tenant", self.messages_per_minute_tenant.map(Value::from)),
            ("messages_per_month", self.messages_per_month.map(Value::from)),
            ("quota", self.quota.clone().map(Value::from)),
            ("queue_max", self.queue_max.map(Value::from)),
            ("sessions_max", self.sessions_max.map(Value::from)),
            ("webhooks_max", self.webhooks_max.map(Value::from)),
            ("seats_max", self.seats_max.map(Value::from)),
            ("pacing", self.pacing.clone().map(Value::from)),
            ("first_contacts_per_day", self.first_contacts_per_day.map(Value::from)),
            ("media_bytes_max", self.media_bytes_max.map(Value::from)),
            ("media_bytes_total", self.media_bytes_total.map(Value::from)),
            ("overage_minor", self.overage_minor.map(Value::from)),
            ("overage_tiers", self.overage_tiers.clone()),
            ("trial_days", self.trial_days.map(Value::from)),
            ("suspended_inbound", self.suspended_inbound.clone().map(Value::from)),
            ("retention_days", self.retention_days.map(Value::from)),
            ("plugins", (!self.plugins.is_empty()).then(|| self.plugins.clone().into())),
        ];
        // A plan has one price list: the one that is said takes the place of the other.
        if self.overage_tiers.is_some() {
            base.remove("overage_minor");
        }
        if self.overage_minor.is_some() {
            base.remove("overage_tiers");
        }
        base.extend(flags.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))));
        Ok(base.into())
    }
}

/// A new plan, but for what it is worth: caps and quota have to be said.
fn blank(code: &str) -> Map<String, Value> {
    let fields = [
        ("code", Value::from(code)),
        ("name", code.into()),
        ("price_minor", 0.into()),
        ("currency", "EUR".into()),
        ("interval", "month".into()),
        ("retention_days", 30.into()),
    ];
    fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

fn read_tiers(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    if value.is_array() { Ok(value) } else { Err("a list of tiers is expected".to_owned()) }
}

/// The text of a file, or of standard input for `-`.
pub fn read_file(path: &Path) -> Result<String, Failure> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| {
        Failure::new(Exit::Absent, "unreadable_file", format!("cannot read {}: {error}", path.display()))
            .next("name a file that is there, or - for standard input")
    })
}

/// JSON from a file, or from standard input for `-`.
pub fn read_json(path: &Path) -> Result<Value, Failure> {
    let text = read_file(path)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is no JSON: {error}", path.display())))
}

impl Plan {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        let at = |code: &str| format!("/v1/admin/plans/{}", escaped(code));
        match self {
            Self::List(paging) => {
                let answer = api.list(As::Operator, "/v1/admin/plans", *paging, |_| ()).await?;
                let none = "no plans yet; make one: columba plan create CODE --messages-per-minute N …";
                reply::list(screen, &answer, &COLUMNS, none)
            }
            Self::Show { code } => {
                let answer = api.get(As::Operator, &at(code)).await?;
                shown(screen, &answer)
            }
            Self::Create { code, terms } => {
                let plan = terms.over(blank(code))?;
                let answer = api.post(As::Operator, "/v1/admin/plans", Some(plan)).await?;
                shown(screen, &answer)
            }
            Self::Put { code, terms } => {
                let known = api.get(As::Operator, &at(code)).await?;
                let plan = terms.over(known.value.as_object().cloned().unwrap_or_default())?;
                let answer = api.call(As::Operator, Method::PUT, &at(code), Some(plan), None).await?;
                shown(screen, &answer)
            }
            Self::Delete { code, confirm } => {
                confirm.ask(&format!("Deleting the plan {code} removes all its versions."))?;
                api.delete(As::Operator, &at(code)).await?;
                reply::gone(screen, &format!("deleted {code}"))
            }
        }
    }
}

/// A plan has a code where others have an id.
fn shown(screen: Screen, answer: &super::api::Answer) -> Result<(), Failure> {
    match screen.form {
        Form::Quiet => screen.line(answer.value["code"].as_str().unwrap_or_default()),
        Form::Json => screen.line(&answer.text),
        Form::Human => {
            reply::record(screen, &answer.value, &FIELDS)?;
            let tiers = answer.value["overage_tiers"].as_array().map_or(0, Vec::len);
            if tiers == 0 {
                return Ok(());
            }
            screen.line("")?;
            // From the plan on, which names the currency.
            let cells = |tier: usize| {
                { TIERS.iter() }
                    .map(|(_, at)| cell(&answer.value, &format!("/overage_tiers/{tier}{at}")))
                    .collect()
            };
            let rows = (0..tiers).map(cells).collect();
            screen.table(&TIERS.map(|(name, _)| name), rows, "")
        }
    }
}
