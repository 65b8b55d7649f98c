//! `columba key`: API keys of tenants. A key's text is shown once.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::api::{Api, Paging};
use super::confirm::Confirm;
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::Screen;
use super::span::Span;
use super::target::As;
use crate::domain::address::AddressRange;
use crate::domain::id::{KeyId, TenantId};

const COLUMNS: [Column; 10] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ENDS IN", "/last4"),
    ("SCOPES", "/scopes"),
    ("TEST", "/test"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
    ("LAST USED", "/last_used_at"),
    ("ALLOWED FROM", "/allowed_addresses"),
];

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Reading sessions, messages, usage, limits and the feed.
    Read,
    /// Sending and canceling.
    Send,
    /// Making, starting, pairing and deleting sessions.
    Session,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Session => "session",
        }
    }
}

/// API keys of tenants. All of these need the operator's token.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make one. Its text is shown once: keep it now.
    Create {
        /// Whose key.
        #[arg(long, value_name = "ten_…")]
        tenant: TenantId,
        /// What it is called.
        #[arg(long, default_value = "cli")]
        name: String,
        /// What it may be used for; everything, if it is not said.
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Reaches sandbox sessions only, and does not count to usage.
        #[arg(long)]
        test: bool,
        /// From then on it is refused: RFC 3339, such as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// Only from this address or range, such as 192.0.2.0/24; may be given often. From anywhere, if it is not said.
        #[arg(long = "allow", value_name = "ADDRESS", value_delimiter = ',')]
        allowed: Vec<AddressRange>,
    },
    /// List a tenant's keys, revoked ones too.
    List {
        /// Whose keys.
        #[arg(long, value_name = "ten_…")]
        tenant: TenantId,
        #[command(flatten)]
        paging: Paging,
    },
    /// Make one that takes another's place. Its text is shown once: keep it now. The old one opens for a while still.
    Rotate {
        /// Which.
        #[arg(value_name = "key_…")]
        id: KeyId,
        /// How long the old one opens still, 30 days at most; 0 ends it at once.
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Refuse a key from now on, for good.
    Revoke {
        /// Which.
        #[arg(value_name = "key_…")]
        id: KeyId,
        #[command(flatten)]
        confirm: Confirm,
    },
}

impl Key {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Create { tenant, name, scopes, test, expires_at, allowed } => {
                let mut body = json!({"name": name, "test": test});
                if !scopes.is_empty() {
                    body["scopes"] = scopes.iter().map(|scope| scope.word()).collect();
                }
                if let Some(end) = expires_at {
                    body["expires_at"] = end.as_str().into();
                }
                if !allowed.is_empty() {
                    body["allowed_addresses"] = json!(allowed);
                }
                let path = format!("/v1/admin/tenants/{tenant}/keys");
                let answer = api.post(As::Operator, &path, Some(body)).await?;
                let next = "export COLUMBA_KEY=… with it, then columba session create LABEL";
                reply::once(screen, &answer, "/key", &format!("made {}", answer.id()), next)
            }
            Self::Rotate { id, overlap, confirm } => {
                if overlap.0 == 0 {
                    confirm.ask(&format!("Whoever uses {id} is refused from now on, for good."))?;
                }
                let body = json!({"overlap_s": overlap.0});
                let answer =
                    api.post(As::Operator, &format!("/v1/admin/keys/{id}/rotate"), Some(body)).await?;
                let what = format!("made {}, which takes the place of {id}", answer.id());
                let next =
                    format!("give it to whoever uses {id}; to end that one earlier: columba key revoke {id}");
                reply::once(screen, &answer, "/key", &what, &next)
            }
            Self::List { tenant, paging } => {
                let path = format!("/v1/admin/tenants/{tenant}/keys");
                let answer = api.list(As::Operator, &path, *paging, |_| ()).await?;
                let none = format!("no keys yet; make one: columba key create --tenant {tenant}");
                reply::list(screen, &answer, &COLUMNS, &none)
            }
            Self::Revoke { id, confirm } => {
                confirm.ask(&format!("Whoever uses {id} is refused from now on, for good."))?;
                api.delete(As::Operator, &format!("/v1/admin/keys/{id}")).await?;
                reply::gone(screen, &format!("revoked {id}"))
            }
        }
    }
}
