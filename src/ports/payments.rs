//! Where money comes from. A provider is asked for links and charges, and what it says later arrives as signed notices in any
//! order and any number of times; what counts is the ledger.

use async_trait::async_trait;
use thiserror::Error;

use crate::domain::id::{InvoiceId, TenantId};
use crate::domain::invoice::{Invoice, Party};
use crate::domain::money::Currency;
use crate::domain::time::WallTime;
use crate::domain::word::words;

words! {
    /// Who takes the money.
    pub enum ProviderName {
        /// The operator: transfers, cash, whatever it marks as paid.
        Manual,
        /// Stripe.
        Stripe,
    }
}

/// A page on which something can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its address.
    pub url: String,
    /// Until when it works.
    pub expires_at: Option<WallTime>,
    /// Whether it was made for an earlier request of the same name.
    pub is_replay: bool,
}

/// Where a person comes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// After it was done.
    pub done: String,
    /// After it was given up.
    pub given_up: String,
}

/// Why a provider did not do it. Its text is for operators; it holds no key and no card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProviderError {
    /// It cannot do this at all; the text says what to do instead.
    #[error("{0}")]
    Unsupported(String),
    /// It said no, and would again.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// The request's name was another request's.
    #[error("the payment provider was asked for something else by this name")]
    AskedOtherwise,
    /// It cannot be reached or is busy: ask again.
    #[error("the payment provider does not answer: {0}")]
    Unavailable(String),
}

/// What a notice says about money. Each is told at least once; `id` is the same each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Money came in.
    Paid {
        /// Names this payment at the provider.
        id: String,
        /// Whose.
        tenant: TenantId,
        /// For which invoice.
        invoice: InvoiceId,
        /// How much.
        amount_minor: i64,
        /// In which currency.
        currency: Currency,
    },
    /// Money went back.
    Refunded {
        /// Names this refund at the provider.
        id: String,
        /// Whose.
        tenant: TenantId,
        /// For which invoice it had come.
        invoice: InvoiceId,
        /// How much.
        amount_minor: i64,
        /// In which currency.
        currency: Currency,
    },
    /// An attempt to pay failed. Nothing changes; the invoice stays due.
    Failed {
        /// Whose.
        tenant: TenantId,
        /// For which invoice.
        invoice: InvoiceId,
        /// The provider's word for why.
        why: String,
    },
}

/// A notice that is none, or is not to be believed. Its text names no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoticeError {
    /// The signature is missing, malformed, too old, or made with another secret.
    #[error("{0}")]
    Forged(String),
    /// Signed, but not what a notice looks like.
    #[error("the notice cannot be read: {0}")]
    Unreadable(String),
}

/// Takes money.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Who.
    fn name(&self) -> ProviderName;

    /// The provider's name for a tenant: the same each time it is asked for.
    ///
    /// # Errors
    /// When the provider cannot or does not.
    async fn customer(&self, tenant: TenantId, party: &Party) -> Result<String, ProviderError>;

    /// A page on which what is due of an invoice can be paid. Within a day the same `name`, at most 64 characters, is the same
    /// link.
    ///
    /// # Errors
    /// When the provider cannot or does not.
    async fn checkout(
        &self,
        invoice: &Invoice,
        customer: &str,
        back: &Return,
        name: &str,
    ) -> Result<Link, ProviderError>;

    /// A page on which a customer changes its cards and sees its payments. `name` as at [`checkout`](Self::checkout).
    ///
    /// # Errors
    /// When the provider cannot or does not.
    async fn portal(&self, customer: &str, back: &str, name: &str) -> Result<Link, ProviderError>;

    /// Charges what is due to the card a customer left. A notice tells whether it worked.
    ///
    /// # Errors
    /// When the provider cannot or does not, also when there is no card.
    async fn collect(&self, invoice: &Invoice, customer: &str) -> Result<(), ProviderError>;

    /// Reads a notice. It may say nothing that matters here.
    ///
    /// # Errors
    /// When it is not to be believed at `now`, or cannot be read.
    fn read(&self, signature: &str, body: &[u8], now: WallTime) -> Result<Vec<Word>, NoticeError>;
}
