//! What a command says, and to whom: a person on a terminal, a pipe, or a program that asked for JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{ColumnConstraint, ContentArrangement, Table as Grid, presets};
use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::exit::{Exit, Failure};
use crate::domain::money::Currency;

/// Columns of a terminal that does not say how many it has.
const WIDTH: u16 = 80;

/// Heads of columns that may be broken over lines.
const WRAPPED: [&str; 8] = ["NAME", "LABEL", "VALUE", "FROM", "URL", "EVENTS", "ALLOWED FROM", "REFERENCE"];

/// In which form a command answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Human,
    /// The API's own documents.
    Json,
    /// Ids only, or a key's text, one a line.
    Quiet,
}

/// Standard output and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// In which form to answer.
    pub form: Form,
    /// Whether somebody looks at standard output.
    pub terminal: bool,
    colour: bool,
}

impl Screen {
    /// Colours need a terminal, and nobody who asked for none (`NO_COLOR`, `TERM=dumb`).
    pub fn new(form: Form) -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { form, terminal, colour: terminal && !set("NO_COLOR") && !dumb }
    }

    /// Whether people read it.
    pub fn is_human(self) -> bool {
        self.form == Form::Human
    }

    /// A line.
    pub fn line(self, text: impl Display) -> Result<(), Failure> {
        self.raw(format_args!("{text}\n"))
    }

    /// Text as it is, at once.
    pub fn raw(self, text: impl Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        write!(out, "{text}").and_then(|()| out.flush()).map_err(unwritten)
    }

    /// A hint beside the answer, on standard error; only people want it.
    pub fn hint(self, text: impl Display) {
        if self.is_human() {
            // Whoever closed it does not want it either.
            writeln!(io::stderr(), "{text}").unwrap_or(());
        }
    }

    /// `text` in the colour of what it means, if colours are wanted.
    pub fn word(self, text: &str) -> String {
        self.paint(text, colour_of(text))
    }

    /// `text` in `style`, if colours are wanted.
    pub fn paint(self, text: &str, style: Style) -> String {
        if self.colour { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }

    /// Whether colours are wanted.
    pub fn has_colour(self) -> bool {
        self.colour
    }

    /// Columns and rows of the terminal.
    pub fn size(self) -> (u16, u16) {
        console::Term::stdout().size_checked().map_or((WIDTH, 24), |(rows, columns)| (columns, rows))
    }

    /// A bar for `steps` steps, or a turning sign when nobody knows how many; on standard error, for people only.
    pub fn progress(self, steps: Option<u64>, what: &str) -> ProgressBar {
        if !self.is_human() || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match steps {
            Some(steps) => (ProgressBar::new(steps), "{msg} {bar:30} {pos}/{len} {elapsed}"),
            None => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// A turning sign for a list that takes many calls.
    pub fn reading(self, all: bool) -> ProgressBar {
        if all { self.progress(None, "reading") } else { ProgressBar::hidden() }
    }

    /// Rows under a head; what to say instead when there are none.
    pub fn table(self, head: &[&str], rows: Vec<Vec<String>>, none: &str) -> Result<(), Failure> {
        if rows.is_empty() {
            self.hint(none);
            return Ok(());
        }
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING).set_header(head.iter().copied());
        grid.add_rows(rows);
        if self.terminal {
            grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(self.size().0);
            // Ids and times are there to be copied: only what people wrote is broken over lines.
            for (column, name) in grid.column_iter_mut().zip(head) {
                if !WRAPPED.contains(name) {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                }
            }
        } else {
            grid.set_content_arrangement(ContentArrangement::Disabled);
        }
        for (number, line) in grid.lines().enumerate() {
            let line = line.trim_end();
            let line = line.strip_prefix(' ').unwrap_or(line);
            match number {
                0 => self.line(self.paint(line, Style::new().bold()))?,
                _ => self.line(self.coloured_words(line))?,
            }
        }
        Ok(())
    }

    /// A record: a name and a value a line. Values may have been painted.
    pub fn record(self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            let name = self.paint(&format!("{name:width$}"), Style::new().dim());
            self.line(format!("{name}  {value}").trim_end())?;
        }
        Ok(())
    }

    /// A line of a table in which the words that mean something have their colour. Layout comes first: escapes have no
    /// width, and the table would count them.
    fn coloured_words(self, line: &str) -> String {
        if !self.colour {
            return line.to_owned();
        }
        line.split(' ').map(|word| self.word(word)).collect::<Vec<_>>().join(" ")
    }
}

/// Green is well, yellow is on its way, red needs somebody.
fn colour_of(word: &str) -> Style {
    match word {
        "active" | "paid" | "connected" | "sent" | "delivered" | "read" | "received" | "ok" | "applied" => {
            Style::new().green()
        }
        "starting" | "pairing" | "reconnecting" | "queued" | "held" | "sending" | "warn" | "pending"
        | "unknown" | "open" | "trialing" | "past_due" | "grace" => Style::new().yellow(),
        "suspended" | "parked" | "logged_out" | "quarantined" | "failed" | "dead" | "expired" | "revoked"
        | "disabled" | "fail" | "uncollectible" => Style::new().red(),
        "stopped" | "canceled" | "skipped" | "void" => Style::new().dim(),
        _ => Style::new(),
    }
}

/// A reader who has gone, as `head` does, is no failure: there is nobody left to tell.
fn unwritten(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure { code: "gone".to_owned(), ..Failure::new(Exit::Done, "gone", "") };
    }
    Failure::new(Exit::Output, "output", format!("cannot write: {error}"))
}

/// An amount as people read it. The record that it stands in names its currency, or one around that.
fn amount(document: &Value, pointer: &str) -> Option<String> {
    if !pointer.ends_with("_minor") {
        return None;
    }
    let minor = document.pointer(pointer)?.as_i64()?;
    let mut record = pointer;
    loop {
        record = record.rsplit_once('/')?.0;
        if let Some(code) = document.pointer(&format!("{record}/currency")).and_then(Value::as_str) {
            return Some(code.parse::<Currency>().ok()?.show(minor));
        }
    }
}

/// A field of a document as a cell: text as it is, nothing as a dash, an amount in its currency.
pub fn cell(document: &Value, pointer: &str) -> String {
    if let Some(amount) = amount(document, pointer) {
        return amount;
    }
    match document.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => one_line(text),
        Some(Value::Array(all)) if all.is_empty() => "-".to_owned(),
        Some(Value::Array(all)) => all.iter().map(|one| cell(one, "")).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    }
}

/// What others wrote, safe for a terminal: no control character reaches it.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_shown_in_the_currency_of_the_nearest_record_around_it() {
        let document = json!({
            "currency": "EUR", "total_minor": 123_450, "none_minor": null, "count": 7,
            "lines": [{"amount_minor": -5}], "deal": {"currency": "JPY", "price_minor": 310},
        });
        for (at, shown) in [
            ("/total_minor", "EUR 1,234.50"),
            ("/lines/0/amount_minor", "EUR -0.05"),
            ("/deal/price_minor", "JPY 310"),
            ("/none_minor", "-"),
            ("/count", "7"),
        ] {
            assert_eq!(cell(&document, at), shown, "{at}");
        }
        assert_eq!(cell(&json!({"amount_minor": 5}), "/amount_minor"), "5", "nobody names a currency");
        assert_eq!(cell(&json!({"amount_minor": 5, "currency": "?"}), "/amount_minor"), "5");
    }
}
