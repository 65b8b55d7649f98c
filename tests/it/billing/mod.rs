//! What tenants pay.

mod model;
