//! Reads the body, up to a size and for a time, before anybody is asked who sends it.
//!
//! Extractors find it whole and therefore answer at once, which is what makes their order the order of refusals. Only a file
//! is left to its handler, piece by piece: nobody who may not send one gets to send it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{Error, HttpMessage as _};
use futures_util::StreamExt as _;

use crate::domain::refusal::Refusal;
use crate::http::v1::media::FILES;

/// The body of a request that has one.
#[derive(Debug, Clone, Default)]
pub struct RawBody(pub Bytes);

/// A body that its handler reads piece by piece.
#[derive(Clone)]
pub struct Pieces(Rc<Reading>);

struct Reading {
    /// While nobody waits for the next piece.
    payload: RefCell<Option<Payload>>,
    over: Cell<bool>,
    patience: Duration,
}

impl Pieces {
    /// Whatever comes next, `None` at the end; 400 when nothing does in time.
    pub async fn next(&self) -> Result<Option<Bytes>, Refusal> {
        let Some(mut payload) = self.0.payload.take() else { return Ok(None) };
        let piece = tokio::time::timeout(self.0.patience, payload.next()).await;
        self.0.payload.replace(Some(payload));
        match piece {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(_))) => Err(Refusal::malformed("the body broke off", vec![])),
            Ok(None) => {
                self.0.over.set(true);
                Ok(None)
            }
            Err(_) => Err(Refusal::malformed("the body did not arrive in time", vec![])),
        }
    }
}

/// Whether the body is a file, for its handler to read.
fn is_file(request: &ServiceRequest) -> bool {
    *request.method() == Method::POST && request.path() == FILES
}

/// Hands the body on as it comes. If it is answered before it has come whole, the connection ends with the answer.
async fn in_pieces<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let patience = super::state(&request).body_timeout;
    let payload = RefCell::new(Some(request.take_payload()));
    let pieces = Pieces(Rc::new(Reading { payload, over: Cell::new(false), patience }));
    request.extensions_mut().insert(pieces.clone());
    let mut response = next.call(request).await?.map_into_boxed_body();
    if !pieces.0.over.get() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        super::hold(pieces.0.payload.take());
    }
    Ok(response)
}

/// 413 beyond the limit, whether announced or counted; 400 when it does not arrive.
pub async fn body<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_file(&request) {
        return in_pieces(request, next).await;
    }
    // What follows may be a websocket. Any other body is read, wanted or not: what nobody reads the framework would
    // wait for without an end.
    let upgrades = request.headers().contains_key(header::UPGRADE);
    if !(upgrades && matches!(*request.method(), Method::GET | Method::HEAD)) {
        let state = super::state(&request);
        let mut payload = request.take_payload();
        let read = read(request.headers(), &mut payload, state.body_limit);
        let refusal = match tokio::time::timeout(state.body_timeout, read).await {
            Ok(Ok(bytes)) => {
                request.extensions_mut().insert(RawBody(bytes));
                None
            }
            Ok(Err(refusal)) => Some(refusal),
            Err(_) => Some(Refusal::malformed("the body did not arrive in time", vec![])),
        };
        if let Some(refusal) = refusal {
            request.set_payload(payload);
            return Ok(super::refuse(request, refusal));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn read(headers: &HeaderMap, payload: &mut Payload, limit: usize) -> Result<Bytes, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::payload_too_large(limit));
    }
    let mut whole = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => Refusal::payload_too_large(limit),
            _ => Refusal::malformed("the body broke off", vec![]),
        })?;
        if whole.len() + chunk.len() > limit {
            return Err(Refusal::payload_too_large(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}
