//! `columba`: see `cli`.

fn main() {}
