//! What the operator can set, one file per section. Unknown keys are refused.

pub mod http;
