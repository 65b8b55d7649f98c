//! Files that messages carry, from where they come to where they go. Rules over ports: bytes are streamed from file to file
//! in constant memory, and no message, row or event ever holds them.
//!
//! [`upload`] takes them from tenants, [`attach`] puts them on messages, [`fetch`] brings here what came in, [`tidy`] removes
//! what is kept no longer. What a file is, its bytes say: [`sniff`].

pub mod attach;
pub mod fetch;
pub mod sniff;
pub mod tidy;
pub mod upload;

use std::sync::Arc;

use crate::domain::id::TenantId;
use crate::domain::plan::Plan;
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::media::{Media, MediaFiles};
use crate::ports::store::StoreError;

/// Every port that files need.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its port")]
pub struct Ports {
    pub records: Arc<dyn Media>,
    pub files: Arc<dyn MediaFiles>,
    pub directory: Arc<dyn Directory>,
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// What binds a tenant now.
    fn plan(&self, tenant: TenantId) -> Result<Plan, StoreError> {
        let snapshot = self.directory.snapshot();
        let plan = snapshot.plan_of(tenant).cloned();
        // Authentication found the tenant a moment ago, so this is a hole in the data, not a caller's mistake.
        plan.ok_or_else(|| StoreError::Unavailable("the tenant's plan is missing".to_owned()))
    }
}
