//! The only wiring: sees everything, decides nothing.

pub mod backends;
pub mod clock;
pub mod data_dir;
pub mod exit;
pub mod quick_start;
pub mod sandbox_net;
pub mod seed;
pub mod server;
pub mod telemetry;
