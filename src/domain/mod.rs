//! Plain types that every layer speaks. Nothing here knows tokio, actix, a database or a clock.

pub mod address;
pub mod audit;
pub mod catalogue;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod invoice;
pub mod message;
pub mod money;
pub mod operator;
pub mod page;
pub mod phone;
pub mod plan;
pub mod refusal;
pub mod restraint;
pub mod scope;
pub mod session;
pub mod stop;
pub mod subscription;
pub mod tenant;
pub mod time;
pub mod webhook;
pub mod window;
pub(crate) mod word;
