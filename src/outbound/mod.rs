//! The route of one message through its ten stops: accept (3 to 5), claim (7), attempt (8), settle (9).

pub mod accept;
