//! The engines. What they promise alike is in `ports::transport`.

mod bridge;
mod bridge_media;
mod bridge_rig;
mod sandbox;
mod sandbox_rig;
mod sandbox_wire;
mod shard;
