//! `columba invoice`: what tenants are asked to pay.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::{Screen, cell};
use super::target::As;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};

const COLUMNS: [Column; 7] = [
    ("ID", "/id"),
    ("NUMBER", "/number"),
    ("TENANT", "/tenant"),
    ("STATUS", "/status"),
    ("TOTAL", "/total_minor"),
    ("DUE", "/due_minor"),
    ("PAY BY", "/due_at"),
];
const FIELDS: [Column; 15] = [
    ("id", "/id"),
    ("number", "/number"),
    ("tenant", "/tenant"),
    ("status", "/status"),
    ("for", "/buyer/name"),
    ("before tax", "/subtotal_minor"),
    ("tax", "/tax_minor"),
    ("total", "/total_minor"),
    ("from credit", "/applied_minor"),
    ("paid", "/paid_minor"),
    ("credited", "/noted_minor"),
    ("due", "/due_minor"),
    ("issued", "/issued_at"),
    ("pay by", "/due_at"),
    ("settled", "/settled_at"),
];
const LINES: [Column; 5] = [
    ("FOR", "/text"),
    ("FROM", "/period/start"),
    ("UNTIL", "/period/end"),
    ("MESSAGES", "/quantity"),
    ("AMOUNT", "/amount_minor"),
];

const NOTES: [Column; 5] = [
    ("CREDIT NOTE", "/number"),
    ("ID", "/id"),
    ("ISSUED", "/issued_at"),
    ("AMOUNT", "/amount_minor"),
    ("WHY", "/reason"),
];

/// What tenants are asked to pay. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Invoice {
    /// List them, newest first.
    List {
        /// Of this tenant only.
        #[arg(long, value_name = "ten_…")]
        tenant: Option<TenantId>,
        /// With this status only.
        #[arg(long, value_parser = ["open", "paid", "void", "uncollectible"])]
        status: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its lines.
    Show {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
    },
    /// Note that money came in for one: all that is due, if it is not said how much.
    Pay {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        /// How much, in cents or whatever the currency's minor unit is.
        #[arg(long, value_name = "N")]
        amount_minor: Option<i64>,
        /// In which currency; the invoice's, if it is not said.
        #[arg(long, value_name = "CODE")]
        currency: Option<String>,
        /// The other side's word for it, such as a transfer's reference.
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
    },
    /// Take one back as if it had never been; only while nothing of it was paid.
    Void {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Give one up. It may be paid all the same.
    WriteOff {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Take one back in part or in whole, by a credit note.
    Credit {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        /// How much, with tax, in the minor unit.
        #[arg(long, value_name = "N")]
        amount_minor: i64,
        /// Why, as the customer reads it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make a link of the payment provider on which what is due is paid.
    Checkout {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        /// Where the person comes back to after paying.
        #[arg(long, value_name = "URL")]
        done_url: String,
        /// Where the person comes back to without having paid; the same, if it is not said.
        #[arg(long, value_name = "URL")]
        given_up_url: Option<String>,
    },
    /// Charge the card that the tenant left with the payment provider.
    Collect {
        /// Which.
        #[arg(value_name = "inv_…")]
        id: InvoiceId,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Write one, or a credit note, into a file as a PDF.
    Pdf {
        /// Which.
        #[arg(value_name = "inv_… | crn_…", value_parser = read_paper)]
        id: Paper,
        /// The file, or - for standard output; its number with .pdf in this folder, if it is not said.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// A paper that is printed.
#[derive(Debug, Clone, Copy)]
pub enum Paper {
    /// What is asked for.
    Invoice(InvoiceId),
    /// What of it is taken back.
    CreditNote(CreditNoteId),
}

fn read_paper(text: &str) -> Result<Paper, String> {
    let note = || text.parse().map(Paper::CreditNote);
    text.parse().map(Paper::Invoice).or_else(|_| note()).map_err(|_| "expected inv_… or crn_…".to_owned())
}

fn at(id: InvoiceId) -> String {
    format!("/v1/admin/invoices/{id}")
}

impl Invoice {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::List { tenant, status, paging } => {
                let query = [("tenant", tenant.map(|id| id.to_string())), ("status", status.clone())];
                let query: Vec<_> =
                    query.into_iter().filter_map(|(name, text)| Some(format!("{name}={}", text?))).collect();
                let joint = if query.is_empty() { "" } else { "?" };
                let path = format!("/v1/admin/invoices{joint}{}", query.join("&"));
                let bar = screen.reading(paging.all);
                let seen = |rows| bar.set_message(format!("{rows} invoices"));
                let answer = api.list(As::Operator, &path, *paging, seen).await?;
                bar.finish_and_clear();
                reply::list(screen, &answer, &COLUMNS, "no such invoices")
            }
            Self::Show { id } => shown(screen, &api.get(As::Operator, &at(*id)).await?),
            Self::Pay { id, amount_minor, currency, reference } => {
                let given = [
                    ("amount_minor", amount_minor.map(Value::from)),
                    ("currency", currency.clone().map(Value::from)),
                    ("reference", reference.clone().map(Value::from)),
                ];
                let body: Map<String, Value> =
                    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
                let answer = api.post(As::Operator, &format!("{}/pay", at(*id)), Some(body.into())).await?;
                let left = cell(&answer.value, "/due_minor");
                let what = format!("{} is {}, {left} left", answer.id(), cell(&answer.value, "/status"));
                reply::done(screen, &answer, &what, "")
            }
            Self::Void { id, confirm } => {
                confirm.ask(&format!(
                    "Voiding {id} takes it back as if it had never been; its number stays taken."
                ))?;
                let answer = api.post(As::Operator, &format!("{}/void", at(*id)), None).await?;
                reply::done(screen, &answer, &format!("voided {id}"), "")
            }
            Self::WriteOff { id, confirm } => {
                confirm.ask(&format!("Writing {id} off gives up what is due of it."))?;
                let answer = api.post(As::Operator, &format!("{}/write-off", at(*id)), None).await?;
                reply::done(screen, &answer, &format!("wrote {id} off"), "")
            }
            Self::Credit { id, amount_minor, reason } => {
                let body = json!({"amount_minor": amount_minor, "reason": reason});
                let answer = api.post(As::Operator, &format!("{}/credit-notes", at(*id)), Some(body)).await?;
                let what = format!("issued {}", cell(&answer.value, "/number"));
                reply::done(screen, &answer, &what, &format!("columba invoice show {id}"))
            }
            Self::Checkout { id, done_url, given_up_url } => {
                let body =
                    json!({"done_url": done_url, "given_up_url": given_up_url.as_ref().unwrap_or(done_url)});
                let answer = api.post(As::Operator, &format!("{}/checkout", at(*id)), Some(body)).await?;
                reply::link(screen, &answer)
            }
            Self::Collect { id, confirm } => {
                confirm.ask(&format!("Collecting {id} charges the card that its tenant left."))?;
                api.post(As::Operator, &format!("{}/collect", at(*id)), None).await?;
                reply::gone(screen, "the payment provider tries; its notice says whether it worked")
            }
            Self::Pdf { id, to } => {
                let path = match id {
                    Paper::Invoice(id) => at(*id),
                    Paper::CreditNote(id) => format!("/v1/admin/credit-notes/{id}"),
                };
                let number = match to {
                    Some(_) => String::new(),
                    None => cell(&api.get(As::Operator, &path).await?.value, "/number"),
                };
                let paper = api.fetch(As::Operator, &path, "application/pdf").await?;
                let to = to.clone().unwrap_or_else(|| PathBuf::from(number.replace('/', "-") + ".pdf"));
                reply::written(screen, &to, &paper)
            }
        }
    }
}

fn shown(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    reply::one(screen, answer, &FIELDS)?;
    if !screen.is_human() {
        return Ok(());
    }
    screen.line("")?;
    let lines = answer.value["lines"].as_array().map_or(0, Vec::len);
    let head: Vec<&str> = LINES.iter().map(|(name, _)| *name).collect();
    // From the invoice on, which names the currency.
    let cells = |line: usize| {
        LINES.iter().map(|(_, at)| cell(&answer.value, &format!("/lines/{line}{at}"))).collect()
    };
    screen.table(&head, (0..lines).map(cells).collect(), "no lines")?;
    let notes = answer.value["credit_notes"].as_array().map_or(&[][..], Vec::as_slice);
    if notes.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let head: Vec<&str> = NOTES.iter().map(|(name, _)| *name).collect();
    let cells = |note: &Value| NOTES.iter().map(|(_, at)| cell(note, at)).collect();
    screen.table(&head, notes.iter().map(cells).collect(), "")
}
