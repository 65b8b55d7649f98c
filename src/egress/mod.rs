//! The one way out to addresses that tenants name.
//!
//! A connection is made by `road` alone, and `road` connects to nothing that `guard` has not judged: it resolves a
//! name, judges each address, and connects to one that passed, so a name that resolves otherwise a moment later changes
//! nothing. There is no proxy, no redirect is followed, and neither answer nor time is without bound.

mod addresses;
mod client;
mod guard;
mod road;
mod tls;

pub use self::addresses::is_public;
pub use self::client::Client;
pub use self::guard::Guard;
pub use self::road::{Names, SystemNames};
pub use self::tls::tls;
