//! What tenants pay.

mod model;
mod papers;
