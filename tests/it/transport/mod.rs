//! The engines. What they promise alike is in `ports::transport`.

mod sandbox;
mod sandbox_rig;
mod sandbox_wire;
