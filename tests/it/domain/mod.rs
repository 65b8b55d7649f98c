//! Plain types, by property.

mod window;
