//! One request and its answer, in bounded time and space.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::guard::Guard;
use super::road::{Names, Road};
use super::tls::tls;
use crate::ports::egress::{BODY_MAX, Egress, EgressError, Post, Reply};

/// From the first look-up to the last byte of the head.
const WHOLE: Duration = Duration::from_secs(15);
/// The status has come; the body is for people.
const BODY: Duration = Duration::from_secs(2);
/// A head that is longer breaks the connection.
const HEAD_MAX: usize = 64 * 1024;
const IDLE: Duration = Duration::from_secs(60);
const IDLE_MAX: usize = 8;
const RETRY_MAX: Duration = Duration::from_secs(24 * 3600);

/// [`Egress`] over hyper and rustls.
pub struct Client {
    guard: Arc<Guard>,
    http: legacy::Client<HttpsConnector<Road>, Full<Bytes>>,
}

impl Client {
    /// A client that reaches what `guard` permits, and trusts the system's certificates (or those in the file that
    /// `SSL_CERT_FILE` names). Fails only when the TLS library cannot be set up at all.
    pub fn new(guard: Guard, names: Arc<dyn Names>) -> Result<Self, rustls::Error> {
        let guard = Arc::new(guard);
        let road = Road { guard: Arc::clone(&guard), names };
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(road);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_MAX)
            .build(tls);
        Ok(Self { guard, http })
    }
}

#[async_trait]
impl Egress for Client {
    fn vet(&self, url: &str) -> Result<(), String> {
        self.guard.vet(url).map(drop)
    }

    async fn post(&self, post: Post) -> Result<Reply, EgressError> {
        // Rules may have become stricter since it was registered.
        let url = self.guard.vet(&post.url).map_err(|_| EgressError::AddressNotAllowed)?;
        let mut request = Request::post(url.as_str());
        for (name, value) in &post.headers {
            // Both were checked when they were registered; one that does not fit is left out, not guessed.
            let pair = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
            if let (Ok(name), Ok(value)) = pair {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(post.body)).map_err(|_| EgressError::AddressNotAllowed)?;
        match tokio::time::timeout(WHOLE, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(read(response).await),
            Ok(Err(error)) => Err(meaning(&error)),
            Err(_) => Err(EgressError::Timeout),
        }
    }
}

/// What can be read of the answer. That its body ends early or late changes nothing about its status.
async fn read(response: Response<Incoming>) -> Reply {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut reply = Reply {
        status: response.status().as_u16(),
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(RETRY_MAX)),
        body: vec![],
    };
    let mut body = response.into_body();
    let reading = async {
        while reply.body.len() < BODY_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Some(data) = frame.data_ref() {
                let room = BODY_MAX - reply.body.len();
                reply.body.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
    };
    // Late is as good as ended.
    let _ = tokio::time::timeout(BODY, reading).await;
    reply
}

/// Ours, or the certificate's, or that of the connection.
fn meaning(error: &legacy::Error) -> EgressError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(own) = one.downcast_ref::<EgressError>() {
            return *own;
        }
        if one.is::<rustls::Error>() {
            return EgressError::TlsFailed;
        }
        let inner = one.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => one.source(),
        };
    }
    EgressError::ConnectionBroken
}
