//! How an answer of the API is shown: its own document, its id, or what people read.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::api::Answer;
use super::exit::{Exit, Failure};
use super::screen::{Form, Screen, cell};

/// A column: its head, and where its cell is in a row.
pub type Column = (&'static str, &'static str);

/// One record.
pub fn one(screen: Screen, answer: &Answer, fields: &[Column]) -> Result<(), Failure> {
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet => screen.line(answer.id()),
        Form::Human => record(screen, &answer.value, fields),
    }
}

/// One record that was made or changed: what happened, then what may come next.
pub fn done(screen: Screen, answer: &Answer, what: &str, next: &str) -> Result<(), Failure> {
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet => screen.line(answer.id()),
        Form::Human => {
            screen.line(what)?;
            if !next.is_empty() {
                screen.hint(format_args!("next: {next}"));
            }
            Ok(())
        }
    }
}

/// Something with a text that is shown once, such as a key.
pub fn once(screen: Screen, answer: &Answer, at: &str, what: &str, next: &str) -> Result<(), Failure> {
    let text = cell(&answer.value, at);
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet => screen.line(text),
        Form::Human => {
            screen.line(format_args!("{what}\n{text}"))?;
            screen.hint("the text is shown once: keep it now");
            screen.hint(format_args!("next: {next}"));
            Ok(())
        }
    }
}

/// A link that somebody follows.
pub fn link(screen: Screen, answer: &Answer) -> Result<(), Failure> {
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet | Form::Human => {
            screen.line(cell(&answer.value, "/url"))?;
            if answer.value["expires_at"].is_string() {
                screen.hint(format_args!("it works until {}", cell(&answer.value, "/expires_at")));
            }
            Ok(())
        }
    }
}

/// Something that leaves nothing to show.
pub fn gone(screen: Screen, what: &str) -> Result<(), Failure> {
    if screen.is_human() { screen.line(what) } else { Ok(()) }
}

/// A list; `none` says what to do when it is empty.
pub fn list(screen: Screen, answer: &Answer, columns: &[Column], none: &str) -> Result<(), Failure> {
    match screen.form {
        Form::Json => screen.line(&answer.text),
        Form::Quiet => {
            for row in answer.rows() {
                screen.line(cell(row, if row.get("id").is_some() { "/id" } else { "/code" }))?;
            }
            Ok(())
        }
        Form::Human => {
            let head: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            let cells = |row: &Value| columns.iter().map(|(_, at)| cell(row, at)).collect();
            screen.table(&head, answer.rows().iter().map(cells).collect(), none)?;
            if answer.has_more() {
                screen.hint("there are more: --all shows them, --limit up to 200 of them");
            }
            Ok(())
        }
    }
}

/// A record's fields, a line each.
pub fn record(screen: Screen, value: &Value, fields: &[Column]) -> Result<(), Failure> {
    let field = |&(name, at): &Column| (name, screen.word(&cell(value, at)));
    screen.record(&fields.iter().map(field).collect::<Vec<_>>())
}

/// Bytes that go into a new file, or to standard output for `-`. A file that is there is somebody's.
pub fn written(screen: Screen, to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Output, "output", format!("cannot write {}: {error}", to.display()))
            .next("name a file that is not there yet with --to, or - for standard output")
    };
    if to.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        return out.write_all(bytes).and_then(|()| out.flush()).map_err(failed);
    }
    let file = std::fs::File::options().write(true).create_new(true).open(to);
    file.and_then(|mut file| file.write_all(bytes)).map_err(failed)?;
    match screen.form {
        Form::Json => screen.line(json!({"file": to, "bytes": bytes.len()})),
        Form::Quiet => screen.line(to.display()),
        Form::Human => screen.line(format_args!("wrote {}", to.display())),
    }
}
