//! The one way out to addresses that tenants name. Whatever a name resolves to, nothing private is ever reached unless
//! the operator allowed it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use strum::{Display, IntoStaticStr};
use thiserror::Error;

/// Bytes of an answer's body that are read; the rest stays unread and the connection is closed.
pub const BODY_MAX: usize = 16 * 1024;

/// One `POST`.
#[derive(Clone)]
pub struct Post {
    /// Where to: an address that [`Egress::vet`] passed.
    pub url: String,
    /// Headers besides `host` and `content-length`, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status. A redirect is an answer like any other and is not followed.
    pub status: u16,
    /// What `Retry-After` says in seconds, at most a day.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most [`BODY_MAX`] bytes.
    pub body: Vec<u8>,
}

/// Why nothing came back. The text tells nothing about what lies behind an address that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum EgressError {
    /// The name has no address.
    NameNotResolved,
    /// Every address of the name is private or special.
    AddressNotAllowed,
    /// Nobody accepted the connection.
    ConnectionRefused,
    /// The certificate is not trusted or not for this name.
    TlsFailed,
    /// No whole answer within the time.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    ConnectionBroken,
}

/// The one way out.
#[async_trait]
pub trait Egress: Send + Sync {
    /// Whether an address may be named at all, with what is wrong if not. Resolves nothing: names are judged by what
    /// they resolve to, each time a connection is made.
    fn vet(&self, url: &str) -> Result<(), String>;

    /// Sends one request over a connection to an address that was judged, and reads the answer. Ends within 15 s.
    async fn post(&self, post: Post) -> Result<Reply, EgressError>;
}
