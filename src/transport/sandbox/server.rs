//! The network's own face, when it runs as a process apart: so it keeps frames and what it owes while the server that
//! uses it is killed. `call` says what is spoken.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::call::{Bounded, Call, HEARTBEAT, MAX_BODY};
use super::network::{Network, OpenLink};
use super::wire::{Hello, Wire as _};
use crate::ports::transport::SendError;

/// A caller waits 10 s for an ack; one that is still there after a minute is not waiting any more.
const LONGEST_SEND: Duration = Duration::from_secs(60);
const WORKERS: usize = 2;

/// Why a network cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It authenticates nobody, so nobody outside may reach it.
    #[error("the sandbox network listens on loopback addresses only, such as 127.0.0.1:9090, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A network that is being served.
pub struct NetworkServer {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl NetworkServer {
    /// Where it listens; the port that was found when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends at once: every link breaks, nothing that was answered is lost.
    pub async fn stop(self) {
        self.handle.stop(false).await;
        let _ = self.task.await;
    }
}

/// Serves `network` on `listen` until [`NetworkServer::stop`]. Handles no signals; runs on threads of its own.
pub async fn serve(network: Arc<Network>, listen: SocketAddr) -> Result<NetworkServer, ServeError> {
    if !listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback(listen));
    }
    let data = Data::from(network);
    let app = move || {
        App::new()
            .app_data(Data::clone(&data))
            .app_data(PayloadConfig::new(MAX_BODY))
            .route("/links", web::post().to(link))
            .route("/calls", web::post().to(call))
            .route("/livez", web::get().to(HttpResponse::Ok))
    };
    let failed = |source| ServeError::Bind { address: listen, source };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        // A peer that is gone ends its link and its pending sends at once, not with the next write.
        .h1_allow_half_closed(false)
        // Longer than the client keeps an idle connection: it never writes into one we are closing.
        .keep_alive(Duration::from_secs(75))
        .disable_signals()
        .bind(listen)
        .map_err(failed)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.run();
    Ok(NetworkServer { address, handle: server.handle(), task: tokio::spawn(server) })
}

/// The answer to what cannot be read. It never quotes what came: that may hold a number or a code.
#[derive(Serialize)]
struct Complaint {
    error: String,
}

impl Complaint {
    fn answer(self) -> HttpResponse {
        HttpResponse::BadRequest().json(self)
    }
}

fn read<T: DeserializeOwned + Bounded>(body: &[u8]) -> Result<T, Complaint> {
    let request: T = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Complaint { error: format!("not the JSON that is expected here, at line {line}, column {column}") }
    })?;
    request.check().map_err(|bound| Complaint { error: bound.to_owned() })?;
    Ok(request)
}

async fn link(network: Data<Network>, body: Bytes) -> HttpResponse {
    let hello: Hello = match read(&body) {
        Ok(hello) => hello,
        Err(complaint) => return complaint.answer(),
    };
    let link = network.into_inner().link(hello);
    let lines = stream::unfold(link, |mut link| async move {
        let line = next_line(&mut link).await?;
        Some((Ok::<_, Infallible>(Bytes::from(line)), link))
    });
    HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines)
}

async fn next_line(link: &mut OpenLink) -> Option<Vec<u8>> {
    match timeout(HEARTBEAT, link.next()).await {
        Ok(event) => {
            let mut line = serde_json::to_vec(&event?).ok()?;
            line.push(b'\n');
            Some(line)
        }
        Err(_) => Some(b"\n".to_vec()),
    }
}

async fn call(network: Data<Network>, body: Bytes) -> HttpResponse {
    let call: Call = match read(&body) {
        Ok(call) => call,
        Err(complaint) => return complaint.answer(),
    };
    let json = |answer: serde_json::Value| HttpResponse::Ok().json(answer);
    match perform(&network, call).await {
        Ok(answer) => json(answer),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn perform(network: &Network, call: Call) -> serde_json::Result<serde_json::Value> {
    use serde_json::to_value;
    match call {
        Call::Send(frame) => {
            let answer = timeout(LONGEST_SEND, network.send(frame)).await;
            to_value(answer.unwrap_or(Err(SendError::NoAck)))
        }
        Call::Ping { caller } => to_value(network.ping(caller).await),
        Call::Confirm { caller, delivery } => to_value(network.confirm(caller, delivery).await),
        Call::PairingCode { caller } => to_value(network.pairing_code(caller).await),
        Call::LogOut { caller } => to_value(network.log_out(caller).await),
        Call::FindCode { code } => to_value(network.find_code(code).await),
        Call::Scan { code } => to_value(network.scan(code).await),
        Call::Write { session, letter } => to_value(network.write(session, *letter).await),
        Call::Fault { session, fault } => to_value(network.fault(session, fault).await),
        Call::Frames { session, after, limit } => to_value(network.frames(session, after, limit).await),
    }
}
