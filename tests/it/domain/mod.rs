//! Plain types, by property and by table.

mod audit;
mod session;
mod window;
