//! The operator takes the money and marks invoices as paid.

use async_trait::async_trait;

use crate::domain::id::TenantId;
use crate::domain::invoice::{Invoice, Party};
use crate::domain::time::WallTime;
use crate::ports::payments::{Link, NoticeError, PaymentProvider, ProviderError, ProviderName, Return, Word};

/// No provider: how to pay stands on the invoice.
#[derive(Debug, Clone, Copy)]
pub struct Manual;

fn unsupported<T>() -> Result<T, ProviderError> {
    let text = "no payment provider is configured: payments are marked with POST /v1/admin/invoices/{id}/pay, and how to \
                pay stands on the invoice (billing.note)";
    Err(ProviderError::Unsupported(text.to_owned()))
}

#[async_trait]
impl PaymentProvider for Manual {
    fn name(&self) -> ProviderName {
        ProviderName::Manual
    }

    async fn customer(&self, _: TenantId, _: &Party) -> Result<String, ProviderError> {
        unsupported()
    }

    async fn checkout(&self, _: &Invoice, _: &str, _: &Return, _: &str) -> Result<Link, ProviderError> {
        unsupported()
    }

    async fn portal(&self, _: &str, _: &str, _: &str) -> Result<Link, ProviderError> {
        unsupported()
    }

    async fn collect(&self, _: &Invoice, _: &str) -> Result<(), ProviderError> {
        unsupported()
    }

    fn read(&self, _: &str, _: &[u8], _: WallTime) -> Result<Vec<Word>, NoticeError> {
        Err(NoticeError::Forged("no payment provider is configured".to_owned()))
    }
}
