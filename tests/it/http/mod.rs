//! The HTTP face over scripted ports.

mod admin;
mod auth;
mod behalf;
mod billing;
mod doors;
mod edge_limit;
mod fakes;
mod firm;
mod fleet;
mod idempotency;
mod media;
mod notices;
mod openapi;
mod operators;
mod pages;
mod pairing;
mod pairing_links;
mod problems;
mod requests;
mod roles;
mod sandbox;
mod server;
mod sessions;
mod webhooks;
mod world;
