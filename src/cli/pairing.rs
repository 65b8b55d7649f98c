//! Pairing, live: the code to scan, redrawn when it changes, and the steps until the session is connected.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::exit::{Exit, Failure};
use super::qr::{self, Paper};
use super::screen::{Form, Screen, cell, one_line};
use super::steps::{Look, Shown, Steps, Verdict};
use super::target::As;
use crate::app::clock::SystemClock;
use crate::domain::id::SessionId;
use crate::ports::clock::Clock as _;

/// Looks per second while something is about to happen, and the pace of the countdown.
const SOON: Duration = Duration::from_millis(250);
const SECOND: Duration = Duration::from_secs(1);

/// How a session is paired.
#[derive(Debug, Clone, Args)]
pub struct Ways {
    /// Show a code to type into the phone with this number, instead of a picture.
    #[arg(long, value_name = "+NUMBER", conflicts_with = "play_phone")]
    phone: Option<String>,
    /// Sandbox sessions: play the phone, and scan the code.
    #[arg(long)]
    play_phone: bool,
    /// Draw for a terminal with dark letters on a bright ground.
    #[arg(long)]
    light: bool,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// Starts the session and stays until it is connected, or it is known that it will not be.
pub async fn run(api: &Api, screen: Screen, id: SessionId, ways: &Ways) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let began = clock.now();
    api.post(As::Tenant, &format!("/v1/sessions/{id}/start"), None).await?;
    let mut steps = Steps::new();
    let mut show = Show { screen, light: ways.light, drawn: 0, code: None, said: vec![], warned: false };
    let mut asked = Asked::default();
    loop {
        let (session, look, qr) = look(api, id).await?;
        let verdict = steps.on(&look, clock.wall());
        asked.play(api, screen, id, ways, &look).await?;
        show.step(&steps, &look, qr.as_ref(), asked.typed.as_deref())?;
        match verdict {
            Verdict::Connected => return show.end(&session, id),
            Verdict::Failed(why) => {
                let next = format!(
                    "columba session show {id} has the reason; to try again: columba session pair {id}"
                );
                return Err(Failure::new(Exit::No, "not_paired", why).next(next));
            }
            Verdict::Waiting => {}
        }
        if clock.now().since(began) > Duration::from_secs(ways.timeout) {
            let detail = format!("not connected after {} s; the session is {}", ways.timeout, look.status);
            let next = format!("the session goes on without this program: columba session show {id}");
            return Err(Failure::new(Exit::Later, "timeout", detail).next(next));
        }
        let pause = if look.shown.is_some() && !ways.play_phone { SECOND } else { SOON };
        tokio::time::sleep(pause).await;
    }
}

/// The session, and the code it shows.
async fn look(api: &Api, id: SessionId) -> Result<(Answer, Look, Option<Answer>), Failure> {
    let session = api.get(As::Tenant, &format!("/v1/sessions/{id}")).await?;
    let status = cell(&session.value, "/status");
    let mut qr = None;
    if status == "pairing" {
        match api.get(As::Tenant, &format!("/v1/sessions/{id}/qr")).await {
            Ok(answer) => qr = Some(answer),
            // It has moved on meanwhile; the next look says where.
            Err(failure) if failure.code == "not_pairing" => {}
            Err(failure) => return Err(failure),
        }
    }
    let time = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
    let shown = qr.as_ref().map(|qr| Shown {
        code: qr.value["code"].as_str().unwrap_or_default().to_owned(),
        attempt: qr.value["attempt"].as_u64().unwrap_or(1),
        expires_at: time(&qr.value["expires_at"]),
    });
    let look = Look {
        status,
        reason: session.value["reason"].as_str().map(one_line),
        paired: session.value["paired"].as_bool().unwrap_or_default(),
        since: time(&session.value["since"]),
        shown,
        todo: qr.as_ref().and_then(|qr| todo(&qr.value["passkey"])),
    };
    Ok((session, look, qr))
}

/// What a passkey asks of the phone's owner.
fn todo(passkey: &Value) -> Option<String> {
    let todo = one_line(passkey["todo"].as_str()?);
    Some(match passkey["code"].as_str() {
        Some(code) => format!("{todo} The code here: {}", one_line(code)),
        None => todo,
    })
}

/// What the network was asked for, beside the picture.
#[derive(Default)]
struct Asked {
    scanned: bool,
    typed: Option<String>,
}

impl Asked {
    async fn play(
        &mut self,
        api: &Api,
        screen: Screen,
        id: SessionId,
        ways: &Ways,
        look: &Look,
    ) -> Result<(), Failure> {
        let Some(shown) = &look.shown else { return Ok(()) };
        if ways.play_phone && !self.scanned {
            match api.post(As::Tenant, "/v1/sandbox/scan", Some(json!({"code": shown.code}))).await {
                Ok(_) => self.scanned = true,
                // The code has changed meanwhile: the next one is tried.
                Err(failure) if failure.exit == Exit::Absent => {}
                Err(failure) => return Err(failure),
            }
        }
        if let (Some(phone), None) = (&ways.phone, &self.typed) {
            let path = format!("/v1/sessions/{id}/pairing-code");
            let answer = api.post(As::Tenant, &path, Some(json!({"phone": phone}))).await?;
            if screen.form == Form::Json {
                screen.line(&answer.text)?;
            }
            self.typed = Some(cell(&answer.value, "/code"));
        }
        Ok(())
    }
}

/// What stands on the screen.
struct Show {
    screen: Screen,
    light: bool,
    /// Lines that the next drawing replaces.
    drawn: usize,
    /// The code shown last.
    code: Option<String>,
    /// Steps that were said where nothing can be redrawn.
    said: Vec<String>,
    /// What linking risks was said.
    warned: bool,
}

impl Show {
    fn step(
        &mut self,
        steps: &Steps,
        look: &Look,
        qr: Option<&Answer>,
        typed: Option<&str>,
    ) -> Result<(), Failure> {
        let code = look.shown.as_ref().map(|shown| shown.code.clone());
        let is_new = code.is_some() && code != self.code;
        let warning = qr.and_then(|qr| qr.value["warning"].as_str());
        if let (Some(warning), Form::Human, false) = (warning, self.screen.form, self.warned) {
            self.screen.hint(format_args!("{warning}\n"));
            self.warned = true;
        }
        match self.screen.form {
            Form::Quiet => return Ok(()),
            Form::Json => {
                if let (true, Some(qr)) = (is_new && typed.is_none(), qr) {
                    self.screen.line(&qr.text)?;
                }
                self.code = code.or(self.code.take());
                return Ok(());
            }
            Form::Human => {}
        }
        let picture = match (&code, typed) {
            (_, Some(typed)) => vec![String::new(), format!("    {typed}"), String::new()],
            (Some(code), None) => qr::picture(code, self.paper())?,
            (None, None) => vec![],
        };
        let (columns, rows) = self.screen.size();
        let width = picture.iter().map(|line| console::measure_text_width(line)).max().unwrap_or(0);
        let lines = steps.lines(look, &picture, |text| self.screen.word(text));
        if self.screen.terminal && width <= usize::from(columns) && lines.len() < usize::from(rows) {
            let up = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
            self.drawn = lines.len();
            self.code = code.or(self.code.take());
            return self.screen.raw(format_args!("{up}{}\n", lines.join("\n")));
        }
        // Nothing can be redrawn: every step is said once, and every code is shown once.
        self.drawn = 0;
        for line in steps.passed() {
            if !self.said.contains(&line) {
                self.screen.line(&line)?;
                self.said.push(line);
            }
        }
        if is_new {
            for line in &picture {
                self.screen.line(line)?;
            }
            self.screen.line(steps.count(look))?;
            if let Some(todo) = &look.todo {
                self.screen.line(todo)?;
            }
            if self.screen.terminal {
                let (high, wide) = (lines.len() + 1, width);
                self.screen.hint(format_args!(
                    "the terminal is {columns} columns by {rows} rows; with {wide} by {high} the code stays in its place"
                ));
            }
        }
        self.code = code.or(self.code.take());
        Ok(())
    }

    fn paper(&self) -> Paper {
        match (self.light, self.screen.has_colour()) {
            (true, _) => Paper::Light,
            (false, true) => Paper::Painted,
            (false, false) => Paper::Dark,
        }
    }

    fn end(&self, session: &Answer, id: SessionId) -> Result<(), Failure> {
        match self.screen.form {
            Form::Json => self.screen.line(&session.text),
            Form::Quiet => self.screen.line(id),
            Form::Human => {
                self.screen.hint(format_args!("next: columba message send {id} --to +… --text …"));
                Ok(())
            }
        }
    }
}
