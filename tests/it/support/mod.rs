//! What tests stand on, named by what it is made of.

pub mod api;
#[allow(dead_code, reason = "only the gate's tests need one")]
pub mod authenticator;
pub mod billing;
pub mod clock;
pub mod events;
#[allow(dead_code, reason = "each test binary writes in its own way")]
pub mod load;
pub mod network;
#[allow(dead_code, reason = "each test binary breaks other things")]
pub mod outage;
pub mod postgres;
pub mod receiver;
#[allow(dead_code, reason = "only some test binaries need one")]
pub mod redis;
pub mod rig;
pub mod server;
pub mod siege;
#[allow(dead_code, reason = "only the gate's tests need one")]
pub mod tls;
pub mod tokio_clock;
pub mod vault;
pub mod webhooks;
