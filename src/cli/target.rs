//! Which server a command speaks to, and as whom: flags, then the environment, then what lies in the data directory.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::api::Api;
use super::exit::{Exit, Failure};
use super::screen::{Form, Screen};
use crate::domain::id::TenantId;

/// Where a server listens unless somebody says otherwise.
const URL: &str = "http://127.0.0.1:8080";

const HELP_URL: &str = "Address of the server [default: http://127.0.0.1:8080]";
const HELP_DATA: &str = "Data directory of the server, for its operator.token [default: ./data]";

/// One of the commands that call a server, with where that server is.
#[derive(Debug, Args)]
pub struct Remote<C: Subcommand> {
    /// What to do.
    #[command(subcommand)]
    pub what: C,
    /// Where, and as whom.
    #[command(flatten)]
    pub target: Target,
}

/// Where the server is, as whom it is called, and how its answers are shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server and answer")]
pub struct Target {
    /// Address of the server.
    #[arg(long, value_name = "URL", env = "COLUMBA_URL", hide_env_values = true, global = true, help = HELP_URL)]
    url: Option<String>,
    /// A tenant's key; better in the environment, where `ps` does not show it.
    #[arg(long, value_name = "KEY", env = "COLUMBA_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    /// The operator's token, instead of the one in the data directory.
    #[arg(long, value_name = "TOKEN", env = "COLUMBA_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    /// Data directory of the server, for its operator.token.
    #[arg(long, value_name = "DIR", env = "COLUMBA_DATA", hide_env_values = true, global = true, help = HELP_DATA)]
    data: Option<PathBuf>,
    /// Answer with the API's own JSON documents; errors too, on standard error.
    #[arg(long, global = true, conflicts_with = "quiet")]
    json: bool,
    /// Answer with ids only, or with the text of a new key, token or secret.
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// On whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// The operator's.
    Operator,
    /// A tenant's.
    Tenant,
    /// The operator's, who names a tenant.
    OnBehalf(TenantId),
}

/// A token or key, and where it came from.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What is shown to the server.
    pub text: Zeroizing<String>,
    /// For people: `--key`, `COLUMBA_KEY`, the path of a file.
    pub origin: String,
}

impl Target {
    /// In which form to answer.
    pub fn form(&self) -> Form {
        match (self.json, self.quiet) {
            (true, _) => Form::Json,
            (_, true) => Form::Quiet,
            _ => Form::Human,
        }
    }

    /// Standard output, as this command uses it.
    pub fn screen(&self) -> Screen {
        Screen::new(self.form())
    }

    /// Whether a tenant's key was given.
    pub fn has_key(&self) -> bool {
        self.key.as_ref().is_some_and(|key| !key.is_empty())
    }

    /// Data directory of the server.
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| "./data".into())
    }

    /// The calls this command can make.
    pub fn api(&self) -> Result<Api, Failure> {
        let (url, origin) = match &self.url {
            Some(url) => (url.trim_end_matches('/').to_owned(), given(url, "--url", "COLUMBA_URL")),
            None => (URL.to_owned(), "the default".to_owned()),
        };
        if url.starts_with("https://") {
            return Err(Failure::usage(format!("{url}: this program does not speak TLS")).next(
                "run it where the server is, or through a tunnel: ssh -L 8080:127.0.0.1:8080 HOST, and leave --url out",
            ));
        }
        let host = url.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(Failure::usage(format!("`{url}` (from {origin}) is no address of a server"))
                .next("give scheme, host and port, such as http://127.0.0.1:8080"));
        }
        Api::new(url, origin, self.clone())
    }

    /// What to show the server, or what is missing.
    pub fn credential(&self, who: As) -> Result<Credential, Failure> {
        match who {
            As::Operator | As::OnBehalf(_) => self.operator(),
            As::Tenant => self.tenant(),
        }
    }

    fn tenant(&self) -> Result<Credential, Failure> {
        match &self.key {
            Some(key) if !key.is_empty() => {
                Ok(Credential { text: key.clone().into(), origin: given(key, "--key", "COLUMBA_KEY") })
            }
            _ => Err(Failure::new(
                Exit::Forbidden,
                "no_key",
                "this acts for a tenant, and no key of one was given",
            )
            .next(
                "set COLUMBA_KEY or give --key; the operator makes one: columba key create --tenant ten_…",
            )),
        }
    }

    fn operator(&self) -> Result<Credential, Failure> {
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) {
            let origin = given(token, "--token", "COLUMBA_TOKEN");
            return Ok(Credential { text: token.clone().into(), origin });
        }
        let path = self.data().join("operator.token");
        let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
            let detail = format!("this is for the operator, and {} cannot be read: {error}", path.display());
            Failure::new(Exit::Forbidden, "no_token", detail).next(
                "point --data at the server's data directory, or give the token as --token or COLUMBA_TOKEN",
            )
        })?;
        Ok(Credential { text: text.trim().to_owned().into(), origin: path.display().to_string() })
    }
}

/// clap does not tell a flag from its variable; the variable's value does.
fn given(value: &str, flag: &str, variable: &str) -> String {
    let from_environment = std::env::var(variable).is_ok_and(|text| text == value);
    if from_environment { variable } else { flag }.to_owned()
}
