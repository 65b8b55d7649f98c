//! The judge of histories, and its command.

mod command;
mod mutations;
mod planted;
pub mod story;
