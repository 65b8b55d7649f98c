//! Who may do what: API keys, operators, their roles. Rules over ports.

pub mod authenticate;
pub mod keys;
pub mod operator;
pub mod permission;
