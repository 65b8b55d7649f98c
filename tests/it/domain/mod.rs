//! Plain types, by property and by table.

mod session;
mod window;
