//! The testbed against unmodified client libraries. One binary: building it costs more than running it.

mod linking;
mod support;
mod texts;
