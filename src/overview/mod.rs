//! What an operator is told of the whole: what is wrong in plain words, whom it hurts, and how the fleet has stood. Rules over
//! what is counted; nothing here asks or waits.

pub mod history;
pub mod incident;
pub mod trouble;
