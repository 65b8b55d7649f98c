//! `columba billing`: whom invoices are for, and what each tenant owes.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, Paging};
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use crate::domain::id::TenantId;

const PROFILE: [Column; 6] = [
    ("name", "/party/name"),
    ("address", "/party/address"),
    ("tax id", "/party/tax_id"),
    ("email", "/party/email"),
    ("tax rate (1/100 %)", "/tax_rate_bps"),
    ("customer at the provider", "/customer"),
];
const ENTRIES: [Column; 6] = [
    ("SEQ", "/seq"),
    ("AT", "/at"),
    ("KIND", "/kind"),
    ("AMOUNT", "/amount_minor"),
    ("INVOICE", "/invoice"),
    ("REFERENCE", "/reference"),
];
const ENTRY: [Column; 4] =
    [("seq", "/seq"), ("kind", "/kind"), ("amount", "/amount_minor"), ("reference", "/reference")];

/// Whom invoices are for, and what each tenant owes. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Billing {
    /// Whom a tenant's invoices are for: shown, or changed where something is said. What is not said stays.
    Profile {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        #[command(flatten)]
        said: Said,
    },
    /// A tenant's ledger, newest first. The sum of all amounts is what it owes.
    Ledger {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        #[command(flatten)]
        paging: Paging,
    },
    /// Make a link of the payment provider on which a tenant keeps its cards.
    Portal {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        /// Where the person comes back to.
        #[arg(long, value_name = "URL")]
        back_url: String,
    },
    /// Grant a tenant a credit; the next invoices are paid with it.
    Credit {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        #[command(flatten)]
        amount: Amount,
    },
    /// Note that money went back to a tenant, at most what is to its credit.
    Refund {
        /// Whose.
        #[arg(value_name = "ten_…")]
        tenant: TenantId,
        #[command(flatten)]
        amount: Amount,
    },
}

/// What of a profile is said.
#[derive(Debug, Args)]
pub struct Said {
    /// The name of the business.
    #[arg(long)]
    name: Option<String>,
    /// A line of its address; repeat it for each.
    #[arg(long, value_name = "LINE")]
    address: Vec<String>,
    /// Its number with the tax authority.
    #[arg(long, value_name = "ID")]
    tax_id: Option<String>,
    /// Where invoices go.
    #[arg(long)]
    email: Option<String>,
    /// Its rate of tax in hundredths of a per cent: 1900 is 19 %.
    #[arg(long, value_name = "N")]
    tax_rate_bps: Option<u32>,
}

impl Said {
    /// What it makes of a profile; nothing when nothing was said.
    fn over(&self, mut profile: Value) -> Option<Value> {
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let address = (!self.address.is_empty()).then(|| json!(self.address));
        let said = [
            ("/party/name", text(&self.name)),
            ("/party/address", address),
            ("/party/tax_id", text(&self.tax_id)),
            ("/party/email", text(&self.email)),
            ("/tax_rate_bps", self.tax_rate_bps.map(Value::from)),
        ];
        let mut is_any = false;
        for (pointer, value) in said {
            let Some(value) = value else { continue };
            is_any = true;
            let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
            if let Some(parent) = profile.pointer_mut(parent) {
                parent[name] = value;
            }
        }
        is_any.then_some(profile)
    }
}

/// An amount.
#[derive(Debug, Args)]
pub struct Amount {
    /// How much, in cents or whatever the currency's minor unit is.
    #[arg(long, value_name = "N")]
    amount_minor: i64,
    /// In which currency.
    #[arg(long, value_name = "CODE")]
    currency: String,
    /// Why, or the other side's word for it.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
}

impl Amount {
    fn body(&self) -> Value {
        json!({"amount_minor": self.amount_minor, "currency": self.currency, "reference": self.reference})
    }
}

fn at(tenant: TenantId, what: &str) -> String {
    format!("/v1/admin/tenants/{tenant}/{what}")
}

impl Billing {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Profile { tenant, said } => {
                let path = at(*tenant, "billing-profile");
                let known = api.get(As::Operator, &path).await?;
                let answer = match said.over(known.value.clone()) {
                    Some(profile) => api.call(As::Operator, Method::PUT, &path, Some(profile), None).await?,
                    None => known,
                };
                reply::one(screen, &answer, &PROFILE)
            }
            Self::Ledger { tenant, paging } => {
                let answer = api.list(As::Operator, &at(*tenant, "ledger"), *paging, |_| ()).await?;
                reply::list(screen, &answer, &ENTRIES, "nothing stands in this ledger yet")
            }
            Self::Portal { tenant, back_url } => {
                let body = Some(json!({"back_url": back_url}));
                reply::link(screen, &api.post(As::OnBehalf(*tenant), "/v1/billing/portal", body).await?)
            }
            Self::Credit { tenant, amount } => {
                let answer = api.post(As::Operator, &at(*tenant, "credits"), Some(amount.body())).await?;
                reply::one(screen, &answer, &ENTRY)
            }
            Self::Refund { tenant, amount } => {
                let answer = api.post(As::Operator, &at(*tenant, "refunds"), Some(amount.body())).await?;
                reply::one(screen, &answer, &ENTRY)
            }
        }
    }
}
