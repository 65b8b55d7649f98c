//! Columba supervises many tenants' WhatsApp sessions.
//!
//! A `use` points down only (`tests/it/layers.rs` fails otherwise):
//!
//! ```text
//! main, cli → app                  the only wiring; sees everything
//! http      actors                 the faces, and the shells around machines
//!   ↓         ↓        storage  transport  egress  payments  adapters, blind to each other
//! outbound  media  webhooks  tenancy  billing       rules: accept, claim, attempt, settle; files; signatures; keys; money
//!   ↓
//! ports                            the traits the inside needs
//!   ↓
//! domain                           plain types
//! ```
//!
//! One outbound message passes ten stops; `ARCHITECTURE.md` walks them.

pub mod actors;
pub mod app;
pub mod billing;
pub mod cli;
pub mod config;
pub mod domain;
pub mod egress;
pub mod failpoint;
pub mod history;
pub mod http;
pub mod media;
pub mod meters;
pub mod outbound;
pub mod overview;
pub mod payments;
pub mod ports;
pub mod storage;
pub mod tenancy;
pub mod transport;
pub mod webhooks;
