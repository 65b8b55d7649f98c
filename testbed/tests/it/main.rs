//! The testbed against unmodified client libraries. One binary: building it costs more than running it.

mod baileys;
mod durability;
mod failures;
mod groups;
mod linking;
mod media;
mod process;
mod rubbish;
mod support;
mod texts;
