//! The HTTP face: parses, authenticates, asks, renders. Decides nothing about messages or sessions.
//!
//! A request passes `middleware` from the outermost in, then the extractors of its handler from the first argument to
//! the last. Since every one of them answers at once, the order of arguments is the order of refusals in API.md.

pub mod admin;
pub mod answer;
pub mod asyncapi;
pub mod checkout;
pub mod cookie;
pub mod cursor;
pub mod desk;
pub mod extract;
pub mod gate;
pub mod guesses;
pub mod hashing;
pub mod in_flight;
pub mod listing;
pub mod looks;
pub mod middleware;
pub mod openapi;
pub mod origin;
pub mod pages;
pub mod pairing_limit;
pub mod pairing_links;
pub mod papers;
pub mod presented;
pub mod problem;
pub mod reference;
pub mod render;
pub mod routes;
pub mod server;
pub mod setup_link;
pub mod state;
pub mod v1;

pub use routes::{feed_routes, routes};
pub use state::{HttpPorts, HttpState};
