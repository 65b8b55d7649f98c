//! What a plan allows and what it costs. Values in, values out.

pub mod invoice;
pub mod office;
pub mod period;
pub mod plan;
pub mod quota;
pub mod subscription;
pub mod tariff;
