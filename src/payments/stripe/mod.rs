//! Stripe takes the money; invoices stay ours. Its own invoices are not used: a customer would get two papers with two numbers.

mod client;
mod notice;
mod scale;
mod signature;

pub use client::Stripe;
