//! What a plan allows. Values in, values out.

pub mod period;
pub mod plan;
pub mod quota;
