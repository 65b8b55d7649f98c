//! What benches of the real program share: it as a process, calls to it, and many who listen to it.
#![allow(dead_code, reason = "no bench uses all of it")]

pub mod http;
pub mod listeners;
pub mod process;
pub mod server;
pub mod stores;
