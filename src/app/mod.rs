//! The only wiring: sees everything, decides nothing.

pub mod audit;
pub mod backends;
mod billing;
pub mod clock;
pub mod data_dir;
pub mod documents;
mod elsewhere;
pub mod engines;
pub mod exit;
pub mod feed;
pub mod inspection;
mod installation;
pub mod migration;
pub mod moving;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod quick_start;
pub mod sandbox_net;
pub mod seed;
pub mod server;
mod signals;
pub mod telemetry;

/// Runs `work` on the main thread, which is also where the stores' writers live.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}
