//! Actors: their machines without a runtime, their shells over memory stores.

mod agenda;
mod at_once;
mod courier;
mod couriers;
mod flaky;
mod fleet;
mod follower;
mod hub;
mod line;
mod listening;
mod machine;
mod pairing;
mod probes;
mod scripted;
mod sending;
mod socket;
mod standing;
mod subscriber;
mod supervision;
mod table;
