//! `columba doctor`: looks at an installation from outside. Gathers facts; `checks` says what they mean.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::checks::{self, Check, Level, Listener};
use super::exit::{Exit, Failure};
use super::screen::{Form, Screen};
use super::settings::{DataFlag, Settings};
use crate::app::clock::SystemClock;
use crate::app::inspection::Database;
use crate::app::{self, inspection};
use crate::config::{Config, Loaded, Source};
use crate::ports::clock::Clock as _;

/// Who does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at the installation.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    data: DataFlag,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// In which form to answer.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Human }
    }

    /// Says how everything is; fails if something does not work.
    pub fn run(&self) -> Result<(), Failure> {
        let screen = Screen::new(self.form());
        let version = Check::ok("version", concat!("columba ", env!("CARGO_PKG_VERSION")));
        let loaded = self.settings.load();
        let mut checks = vec![version, settings(&loaded)];
        if let Ok(loaded) = &loaded {
            checks.extend(app::block_on(looked_at(&loaded.config, &self.data.data))?);
        }
        let failed = checks.iter().filter(|check| check.level == Level::Fail).count();
        say(screen, &checks, failed)?;
        match failed {
            0 => Ok(()),
            // All has been said.
            _ => Err(Failure::new(Exit::No, "unwell", format!("{failed} of {} checks failed", checks.len()))),
        }
    }
}

fn say(screen: Screen, checks: &[Check], failed: usize) -> Result<(), Failure> {
    if screen.form == Form::Json {
        return screen.line(json!({"ok": failed == 0, "checks": checks}));
    }
    for check in checks {
        let level = format!("{:4}", check.level.word());
        let level = level.replacen(check.level.word(), &screen.word(check.level.word()), 1);
        screen.line(format_args!(
            "{level}  {:14}  {}",
            check.name,
            check.detail.replace('\n', "\n                      ")
        ))?;
        if let Some(advice) = &check.advice {
            screen.line(format_args!("                      → {advice}"))?;
        }
    }
    Ok(())
}

fn settings(loaded: &Result<Loaded, Failure>) -> Check {
    const NAME: &str = "settings";
    match loaded {
        Err(failure) => {
            Check::fail(NAME, failure.detail.clone(), "what depends on settings was not looked at")
        }
        Ok(loaded) if !loaded.strays.is_empty() => {
            let strays: Vec<String> = loaded.strays.iter().map(|stray| stray.given.clone()).collect();
            let meant: Vec<String> = loaded.strays.iter().map(|stray| stray.meant.clone()).collect();
            Check::warn(
                NAME,
                format!("{} is not read", strays.join(", ")),
                format!("write {}", meant.join(", ")),
            )
        }
        Ok(loaded) => {
            let given = loaded.settings.iter().filter(|setting| setting.source != Source::Default).count();
            let detail = format!(
                "{} keys, {given} of them set by you; columba check-config shows all",
                loaded.settings.len()
            );
            Check::ok(NAME, detail)
        }
    }
}

async fn looked_at(config: &Config, data: &Path) -> Result<Vec<Check>, Failure> {
    let unseen = |what: &Path, error: std::io::Error| {
        Failure::new(Exit::Usage, "unreadable", format!("cannot look at {}: {error}", what.display()))
            .next("run this as the user who runs the server")
    };
    let place = |path: &Path| inspection::place(path).map_err(|error| unseen(path, error));
    let found = place(data)?;
    let mut checks = vec![checks::data_directory(data, found)];
    if found.is_some() {
        checks.push(checks::space(inspection::free_bytes(data)));
    }

    let database = inspection::database(config, data);
    let exists = match &database {
        Database::File(path) => place(path)?.is_some(),
        Database::Server(_) => true,
    };
    let standing = match exists {
        false => None,
        true => Some(inspection::standing(&database).await.map_err(|error| error.to_string())),
    };
    let shown = standing.as_ref().map(|found| found.as_ref().map_err(String::as_str));
    checks.push(checks::schema(&database, shown));
    // One that cannot be reached has been told of.
    if let Ok(Some(survey)) = inspection::server(&database).await {
        checks.push(checks::postgres(&survey));
    }
    let newest = standing.and_then(Result::ok).and_then(|standing| standing.newest);
    let clock = SystemClock::new();
    checks.push(checks::clock(clock.wall(), newest, clock.boot() != Default::default()));

    let (key, fits) = inspection::key_file(config, data);
    checks.push(checks::vault_key(&key, data, &fits, place(&key)?));
    let token = data.join("operator.token");
    checks.push(checks::secret_file("operator token", &token, place(&token)?, "the first start makes it"));

    if let Some(found) = inspection::redis(config).await {
        checks.push(checks::redis(found));
    }

    let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
    let http = http.map_err(|error| Failure::new(Exit::Software, "software", error.to_string()))?;
    let listener = listener(&http, &config.http.listen).await;
    checks.push(checks::server(&config.http.listen, &listener, inspection::holder(data)));
    if !config.sandbox.url.is_empty() {
        checks.push(network(&http, &config.sandbox.url).await);
    }
    Ok(checks)
}

async fn listener(http: &reqwest::Client, listen: &str) -> Listener {
    let Ok(address) = listen.parse::<SocketAddr>() else {
        return Listener::Impossible("it is no address".to_owned());
    };
    if address.port() == 0 {
        return Listener::Any;
    }
    match inspection::is_taken(address) {
        Ok(false) => Listener::Nobody,
        Err(error) => Listener::Impossible(error.to_string()),
        Ok(true) => {
            let url = format!("http://{}", reachable(address));
            let answer = http.get(format!("{url}/livez")).send().await.ok();
            let alive = match answer {
                Some(answer) => answer.text().await.is_ok_and(|text| text.contains(r#""status":"alive""#)),
                None => false,
            };
            if !alive {
                return Listener::Stranger;
            }
            let ready = http.get(format!("{url}/readyz")).send().await;
            Listener::Columba { ready: ready.is_ok_and(|answer| answer.status().is_success()) }
        }
    }
}

/// A server that listens everywhere is called where we are.
fn reachable(address: SocketAddr) -> SocketAddr {
    let here: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(here, address.port())
}

async fn network(http: &reqwest::Client, url: &str) -> Check {
    const NAME: &str = "sandbox network";
    match http.get(url).send().await {
        // Whatever it says: somebody is there.
        Ok(_) => Check::ok(NAME, format!("{url} answers")),
        Err(_) => Check::fail(
            NAME,
            format!("{url} does not answer"),
            "start it: columba sandbox-net --data DIR --listen ADDR; or set sandbox.url to \"\" for one in the server",
        ),
    }
}
