//! Actors: their machines without a runtime, their shells over memory stores.

mod agenda;
mod fleet;
mod flaky;
mod hub;
mod machine;
mod scripted;
mod subscriber;
mod supervision;
mod table;
