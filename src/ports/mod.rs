//! What the inside requires from the outside. Adapters are named by their technology and live in `storage`,
//! `transport` and `actors`; each port says enough that an adapter can be written from it alone.

pub mod abilities;
pub mod audit;
pub mod clock;
pub mod contacts;
pub mod directory;
pub mod edge;
pub mod egress;
pub mod feed;
pub mod installation;
pub mod key_use;
pub mod ledger;
pub mod limits;
pub mod log_level;
pub mod lookout;
pub mod media;
pub mod messages;
pub mod outbox;
pub mod payments;
pub mod people;
pub mod questions;
pub mod readiness;
pub mod sandbox;
pub mod sealer;
pub mod sessions;
pub mod signals;
pub mod store;
pub mod supervisor;
pub mod sweep;
pub mod tickets;
pub mod transport;
pub mod vault;
pub mod webhooks;

use std::sync::Arc;

/// Every port that one store keeps. SQL and memory each open a set; one contract suite runs over both.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its trait")]
pub struct Stores {
    pub directory: Arc<dyn directory::Directory>,
    pub audit: Arc<dyn audit::Audit>,
    pub sessions: Arc<dyn sessions::Sessions>,
    pub outbox: Arc<dyn outbox::Outbox>,
    pub messages: Arc<dyn messages::Messages>,
    pub contacts: Arc<dyn contacts::Contacts>,
    pub media: Arc<dyn media::Media>,
    pub sweep: Arc<dyn sweep::Sweep>,
    pub feed_log: Arc<dyn feed::FeedLog>,
    pub webhooks: Arc<dyn webhooks::Webhooks>,
    pub ledger: Arc<dyn ledger::Ledger>,
    pub people: Arc<dyn people::People>,
    pub lookout: Arc<dyn lookout::Lookout>,
}
