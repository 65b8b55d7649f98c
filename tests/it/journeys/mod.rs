//! What users come for, through the real program: HTTP in, websocket out, kill -9 in the middle.

mod a_minute;
mod audit;
mod backup;
mod caps;
mod credentials;
mod events;
mod faults;
mod first_message;
mod isolation;
mod kill_loop;
mod metrics;
mod moving;
mod process;
mod quota;
mod recipients;
mod restart;
mod resume;
mod rubbish;
mod sending;
mod verbs;
mod webhooks;
