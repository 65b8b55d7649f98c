//! The way to the server: the socket, held back by the window and closed to a session without a vault, and HTTP for media.

mod http;
mod socket;
mod tunnel;

pub use http::Http;
pub use socket::{Cord, Dialer, Traffic};
pub use tunnel::is_spoken;
