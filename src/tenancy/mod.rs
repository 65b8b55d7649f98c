//! Who may do what: API keys and the operator's token. Rules over ports.

pub mod authenticate;
pub mod keys;
pub mod operator;
