//! Who may do what: API keys, operators, their roles. Rules over ports.

pub mod authenticate;
pub mod behalf;
pub mod keys;
pub mod operator;
pub mod password;
pub mod permission;
pub mod second_factor;
pub mod sign_in;
pub mod throttle;
