//! `columba check-config`: what the settings are, and who said so.

use clap::Args;
use serde_json::{Value, json};

use super::exit::Failure;
use super::screen::{Form, Screen};
use super::settings::Settings;

/// The settings as `serve` would read them.
#[derive(Debug, Args)]
pub struct CheckConfig {
    #[command(flatten)]
    settings: Settings,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl CheckConfig {
    /// In which form to answer.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Human }
    }

    /// Says every value and its source, secrets masked.
    pub fn run(&self) -> Result<(), Failure> {
        let screen = Screen::new(self.form());
        let loaded = self.settings.load()?;
        if screen.form == Form::Json {
            let strays: Vec<String> = loaded.strays.iter().map(|stray| stray.given.clone()).collect();
            return screen.line(json!({"settings": loaded.settings, "not_read": strays}));
        }
        let row = |setting: &crate::config::Setting| {
            vec![setting.key.clone(), shown(&setting.value), setting.source.to_string()]
        };
        let rows = loaded.settings.iter().map(row).collect();
        screen.table(&["KEY", "VALUE", "FROM"], rows, "")?;
        for stray in &loaded.strays {
            screen.hint(format_args!("warning: {stray}"));
        }
        screen.line("the settings are good")
    }
}

/// As it would stand in a file.
fn shown(value: &Value) -> String {
    value.to_string()
}
