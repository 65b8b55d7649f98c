//! What the benches of the real program share: the program as a process, calls to it, and many light websockets.

pub mod http;
pub mod listeners;
pub mod process;
