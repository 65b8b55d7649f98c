//! Actors: their machines without a runtime, their shells over memory stores.

mod agenda;
mod hub;
mod machine;
mod subscriber;
mod table;
