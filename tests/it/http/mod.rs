//! The HTTP face over scripted ports.

mod admin;
mod auth;
mod edge_limit;
mod fakes;
mod idempotency;
mod media;
mod openapi;
mod operators;
mod pairing;
mod problems;
mod requests;
mod sandbox;
mod server;
mod sessions;
mod webhooks;
mod world;
