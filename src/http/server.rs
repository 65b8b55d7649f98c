//! The listening server. It handles no signals: whoever boots it drives the drain.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};

use super::state::{FeedState, HttpState};
use crate::config::http::HttpOptions;

/// How long an answered connection may take to close.
const DISCONNECT: Duration = Duration::from_secs(1);
/// How long a graceful stop waits for requests under way, in seconds.
const SHUTDOWN_S: u64 = 5;

/// Binds and starts to serve the paths of `table`; the address is the one really bound. The server ends by its handle's `stop`.
///
/// Errors are those of binding: an address that is taken, or is none.
pub fn serve(
    table: fn(&mut ServiceConfig),
    state: HttpState,
    feed: FeedState,
    options: &HttpOptions,
) -> io::Result<(Server, SocketAddr)> {
    let (state, feed) = (web::Data::new(state), web::Data::new(feed));
    let workers = options.workers.get();
    let server =
        HttpServer::new(move || App::new().app_data(state.clone()).app_data(feed.clone()).configure(table))
            .workers(workers)
            .max_connections(options.max_connections.get().div_ceil(workers))
            .client_request_timeout(Duration::from_secs(options.head_timeout_s.get().into()))
            .client_disconnect_timeout(DISCONNECT)
            .keep_alive(Duration::from_secs(options.keep_alive_s.get().into()))
            .shutdown_timeout(SHUTDOWN_S)
            .disable_signals()
            .bind(&options.listen)?;
    let address = server.addrs().first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((server.run(), address))
}
