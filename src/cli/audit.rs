//! `columba audit`: whether what operators did still stands as it was written.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Settings, load};
use crate::app::exit::Failure;
use crate::app::{self, audit};
use crate::domain::audit::Head;

/// The log of what operators did.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Walk the log from its first entry, and say where it ends or which entry does not fit.
    ///
    /// Keep the line it prints elsewhere, and give it back with --head next time: whoever can write to the database can
    /// write all of it anew, and only a head kept elsewhere tells. Exit codes: 0 every entry fits, 1 one does not.
    Verify(Verify),
}

/// What to walk.
#[derive(Debug, Args)]
pub struct Verify {
    /// The server's data directory. It may be at work.
    #[arg(long, value_name = "DIR", default_value = "./data", env = "COLUMBA_DATA")]
    data: PathBuf,
    /// Read the log over HTTP from this server, not from the database.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// An operator's token, instead of the one in the data directory. With --url only.
    #[arg(long, value_name = "TOKEN", env = "COLUMBA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The settings, if they say where the database lies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A head that was kept: the log has to pass through it. May be given more than once.
    #[arg(long = "head", value_name = "NUMBER:HASH")]
    heads: Vec<Head>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Audit {
    /// Does it.
    pub fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(),
        }
    }
}

impl Verify {
    fn run(&self) -> Result<(), Failure> {
        let heads = self.heads.clone();
        let found = match &self.url {
            Some(url) => app::block_on(audit::over_http(url, &self.token()?, heads))?,
            None => {
                let config = load(&Settings { config: self.config.clone(), listen: None })?;
                app::block_on(audit::in_data(&config, &self.data, heads))?
            }
        };
        match found {
            Ok(head) if self.json => println!("{}", json!({"head": head})),
            Ok(head) => println!("{} entries, each fits\nhead {head}", head.seq),
            Err(misfit) => {
                if self.json {
                    println!("{}", json!({"misfit": {"seq": misfit.seq, "why": misfit.why}}));
                }
                let advice = "keep the database as it is, and compare with a backup from before";
                return Err(Failure::No(format!("the audit log was changed: {misfit}; {advice}")));
            }
        }
        Ok(())
    }

    fn token(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Zeroizing::new(token.clone()));
        }
        let path = self.data.join("operator.token");
        let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
            let advice = "give the server's data directory as --data, or a token as --token or COLUMBA_TOKEN";
            Failure::Usage(format!("cannot read {}: {error}; {advice}", path.display()))
        })?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    }
}
