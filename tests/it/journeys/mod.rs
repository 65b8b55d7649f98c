//! What users come for, through the real program: HTTP in, websocket out, kill -9 in the middle.

mod faults;
mod first_message;
mod isolation;
mod quota;
mod recipients;
mod restart;
mod resume;
