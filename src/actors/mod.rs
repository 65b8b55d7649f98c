//! Shells around machines.
