//! What webhooks need of the world, for tests: an open sealer, and endpoints that answer as they are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use columba::domain::id::{TenantId, WebhookId};
use columba::domain::time::WallTime;
use columba::domain::webhook::{EventFilter, Health, Webhook, WebhookStatus};
use columba::ports::egress::{Egress, EgressError, Post, Reply};
use columba::ports::sealer::Sealer;
use columba::ports::vault::{Secret, VaultError};
use columba::webhooks::confidential::Confidential;
use zeroize::Zeroizing;

/// Seals nothing: what it is given is what it keeps, behind its place.
pub struct OpenSealer;

#[async_trait]
impl Sealer for OpenSealer {
    async fn seal(&self, tenant: TenantId, place: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok([format!("{tenant}/{place}:").as_bytes(), secret].concat())
    }

    async fn open(&self, tenant: TenantId, place: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        let secret = sealed.strip_prefix(format!("{tenant}/{place}:").as_bytes());
        secret.map(|secret| Zeroizing::new(secret.to_vec())).ok_or(VaultError::Sealed)
    }
}

/// One request, as an endpoint got it.
#[derive(Clone)]
pub struct Got {
    pub at: tokio::time::Instant,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Whether it was taken.
    pub taken: bool,
}

impl Got {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// How an endpoint answers its nth request, and after how long.
pub type Manner = Box<dyn FnMut(usize) -> (Duration, Result<u16, EgressError>) + Send>;

/// Endpoints by their address.
#[derive(Default)]
pub struct Endpoints(Mutex<BTreeMap<String, (Manner, Vec<Got>)>>);

impl Endpoints {
    /// A manner may panic, because a test asked for it.
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, (Manner, Vec<Got>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn behave(&self, url: &str, manner: Manner) {
        let mut all = self.all();
        let got = all.remove(url).map(|(_, got)| got).unwrap_or_default();
        all.insert(url.to_owned(), (manner, got));
    }

    /// What an endpoint got so far.
    pub fn got(&self, url: &str) -> Vec<Got> {
        self.all().get(url).map(|(_, got)| got.clone()).unwrap_or_default()
    }
}

#[async_trait]
impl Egress for Endpoints {
    fn vet(&self, url: &str) -> Result<(), String> {
        url.starts_with("https://").then_some(()).ok_or_else(|| "only https:// is allowed".to_owned())
    }

    async fn post(&self, post: Post) -> Result<Reply, EgressError> {
        let (wait, answer) = {
            let mut all = self.all();
            let (manner, got) = all.get_mut(&post.url).ok_or(EgressError::NameNotResolved)?;
            let (wait, answer) = manner(got.len());
            got.push(Got {
                at: tokio::time::Instant::now(),
                headers: post.headers.into_iter().collect(),
                body: post.body.to_vec(),
                taken: answer.is_ok_and(|status| (200..300).contains(&status)),
            });
            (wait, answer)
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(Reply { status: answer?, retry_after: None, body: b"as you say".to_vec() })
    }
}

/// An endpoint's row at an address, that hears of everything.
pub fn webhook(tenant: TenantId, url: &str, at: WallTime) -> Webhook {
    Webhook {
        id: WebhookId::mint(at),
        tenant,
        url: url.into(),
        description: String::new(),
        events: EventFilter(vec!["*".into()]),
        sessions: vec![],
        sealed: vec![],
        status: WebhookStatus::Active,
        reason: None,
        since: at,
        health: Health::default(),
        revision: 0,
        created_at: at,
    }
}

/// The same with a secret that [`OpenSealer`] opens.
pub async fn sealed(tenant: TenantId, url: &str, at: WallTime) -> (Webhook, Confidential) {
    let mut webhook = webhook(tenant, url, at);
    let confidential = Confidential::mint(BTreeMap::new(), &mut rand::rng());
    let place = columba::webhooks::confidential::place(webhook.id);
    webhook.sealed = OpenSealer.seal(tenant, &place, &confidential.to_bytes()).await.unwrap();
    (webhook, confidential)
}
