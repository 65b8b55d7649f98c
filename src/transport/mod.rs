//! Adapters to the network, one per engine. Blind to `storage` and to everything above the ports.

pub mod absent;
pub mod bridge;
pub mod sandbox;
