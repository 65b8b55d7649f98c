//! How a command ends: by `sysexits.h`, so that a script can tell a wrong word from a server that is away.

use std::process::ExitCode;

use serde_json::{Value, json};
use strum::{EnumIter, EnumMessage};

use crate::app;

/// What the exit code says. `docs/CLI.md` lists the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, EnumMessage)]
#[repr(u8)]
pub enum Exit {
    #[strum(message = "done; `serve`: drained")]
    /// Done.
    Done = 0,
    #[strum(
        message = "it was asked and the answer is no: a check failed, a message failed, nobody scanned, a conflict"
    )]
    /// Asked, and the answer is no.
    No = 1,
    #[strum(message = "the command line or a setting is wrong, or a question was not answered with yes")]
    /// The command line or a setting is wrong.
    Usage = 64,
    #[strum(message = "the server did not take what was given: see the fields it names")]
    /// The server did not take what was given.
    Data = 65,
    #[strum(message = "there is no such thing, or no such file")]
    /// There is no such thing.
    Absent = 66,
    #[strum(message = "the server, or something it depends on, does not answer")]
    /// Something does not answer.
    Unavailable = 69,
    #[strum(
        message = "a bug of ours: a root actor died, or the server answered what this version cannot read"
    )]
    /// A bug of ours.
    Software = 70,
    #[strum(message = "something could not be written")]
    /// Something could not be written.
    Output = 74,
    #[strum(
        message = "not now: the data directory is in use, a limit is reached, time ran out; try again later"
    )]
    /// Not now.
    Later = 75,
    #[strum(message = "no key, or one that may not do this")]
    /// No key, or one that may not do this.
    Forbidden = 77,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do its work.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// A stable word; that of the API, if it was the API that refused.
    pub code: String,
    /// What went wrong, in a sentence.
    pub detail: String,
    /// What exactly is wrong with what was given, a line each.
    pub faults: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
    /// The API's own document, if it was the API that refused.
    pub document: Option<Box<Value>>,
}

impl Failure {
    /// A failure that is ours to explain.
    pub fn new(exit: Exit, code: &str, detail: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            detail: detail.into(),
            faults: vec![],
            next: None,
            document: None,
        }
    }

    /// The command line is wrong in a way that clap cannot see.
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", detail)
    }

    /// With what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// As people read it: what, the fields, what to do next.
    pub fn text(&self, program: &str) -> String {
        let mut text = format!("{program}: {}", self.detail);
        for fault in &self.faults {
            text += &format!("\n  {fault}");
        }
        if let Some(next) = &self.next {
            text += &format!("\nnext: {next}");
        }
        text
    }

    /// As programs read it: the API's document, or one of the same shape, and what to do next.
    pub fn json(&self) -> Value {
        let mut document = self.document.as_deref().cloned().unwrap_or_else(|| {
            json!({
                "type": format!("urn:columba:cli:{}", self.code), "detail": self.detail, "code": self.code,
                "retryable": matches!(self.exit, Exit::Unavailable | Exit::Later),
            })
        });
        if let (Some(fields), Some(next)) = (document.as_object_mut(), &self.next) {
            fields.insert("next".to_owned(), next.clone().into());
        }
        document
    }
}

impl From<app::exit::Failure> for Failure {
    fn from(failure: app::exit::Failure) -> Self {
        let (exit, code) = match &failure {
            app::exit::Failure::Refused(_) => (Exit::No, "conflict"),
            app::exit::Failure::Unfit(_) => (Exit::Data, "unfit"),
            app::exit::Failure::Usage(_) => (Exit::Usage, "usage"),
            app::exit::Failure::Unavailable(_) => (Exit::Unavailable, "unavailable"),
            app::exit::Failure::Software(_) => (Exit::Software, "software"),
            app::exit::Failure::InUse(_) => (Exit::Later, "in_use"),
        };
        Self::new(exit, code, failure.to_string())
    }
}
