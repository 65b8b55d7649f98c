//! The rules of webhooks, as functions of values: what a request holds, how it is signed, and what an answer means.

pub mod confidential;
pub mod payload;
pub mod verdict;
