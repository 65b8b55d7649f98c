//! The proxy that all of a session's traffic goes through, where its operator has set one. Static: it is never rotated, and a
//! session that has one never connects without it.

use std::fmt;

use strum::{Display, EnumString, IntoStaticStr};
use thiserror::Error;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::id::SessionId;
use super::session::Engine;

/// Bytes an address may have.
pub const URL_MAX: usize = 1_024;
/// Bytes a user's name and a password may have: SOCKS has room for no more (RFC 1929).
const WORD_MAX: usize = 255;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Scheme {
    /// `CONNECT` over plain HTTP.
    Http,
    /// `CONNECT` over HTTP in TLS.
    Https,
    /// RFC 1928; names are resolved by the proxy.
    Socks5,
}

/// What the bridge of an engine can speak to; nothing where there is no network to reach.
pub fn schemes(engine: Engine) -> &'static [Scheme] {
    match engine {
        Engine::Sandbox => &[],
        Engine::Native => &[Scheme::Http, Scheme::Socks5],
        Engine::Baileys => &[Scheme::Http, Scheme::Https, Scheme::Socks5],
    }
}

/// Where the address of a session's proxy is sealed.
pub fn place(session: SessionId) -> String {
    format!("sessions/{session}/proxy")
}

/// The address of a proxy, credentials included: nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Zeroizing<String>);

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(…)")
    }
}

/// An address that no proxy has, or none that the engine can use. Says nothing of the address itself, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAProxy {
    /// Too long.
    #[error("at most {URL_MAX} bytes")]
    TooLong,
    /// Not an address.
    #[error(
        "an address such as socks5://user:password@host:1080, of visible ASCII characters; others are written as %XX"
    )]
    NoAddress,
    /// A scheme that the engine's bridge does not speak.
    #[error("{engine} takes proxies that speak {}", words(schemes(*.engine)))]
    Scheme {
        /// The engine.
        engine: Engine,
    },
    /// No host, or one that cannot be a name.
    #[error("a host: a name of letters, digits, dots and hyphens, or an IP address")]
    Host,
    /// Port 0.
    #[error("a port from 1 to 65535; left out it is 80 for http, 443 for https and 1080 for socks5")]
    Port,
    /// Something behind the host.
    #[error("nothing behind host and port: no path, no query, no fragment")]
    Rest,
    /// Credentials that do not fit.
    #[error("a user's name and a password of at most {WORD_MAX} bytes each, and no password without a name")]
    Credentials,
}

fn words(schemes: &[Scheme]) -> String {
    schemes.iter().map(|scheme| scheme.to_string()).collect::<Vec<_>>().join(", ")
}

impl Proxy {
    /// Reads the address of a proxy for a session of this engine.
    ///
    /// # Errors
    /// When it is none, or one that the engine's bridge cannot speak to.
    pub fn parse(text: &str, engine: Engine) -> Result<Self, NotAProxy> {
        if text.len() > URL_MAX {
            return Err(NotAProxy::TooLong);
        }
        // The parser would leave some of these out, silently.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NotAProxy::NoAddress);
        }
        let url = Url::parse(text).map_err(|_| NotAProxy::NoAddress)?;
        let scheme = url.scheme().parse::<Scheme>().ok().filter(|scheme| schemes(engine).contains(scheme));
        let scheme = scheme.ok_or(NotAProxy::Scheme { engine })?;
        if !url.host().is_some_and(|host| is_reachable(&host)) {
            return Err(NotAProxy::Host);
        }
        if url.port() == Some(0) {
            return Err(NotAProxy::Port);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(NotAProxy::Rest);
        }
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let fits = decoded(user) <= WORD_MAX && decoded(password) <= WORD_MAX;
        if !fits || (user.is_empty() && !password.is_empty()) {
            return Err(NotAProxy::Credentials);
        }
        // Bridges have different ideas of the port of an address that names none.
        let mut url = url;
        if url.port_or_known_default().is_none() && url.set_port(Some(1080)).is_err() {
            return Err(NotAProxy::Host);
        }
        debug_assert!(scheme != Scheme::Socks5 || url.port().is_some(), "no scheme of the web");
        Ok(Self(Zeroizing::new(String::from(url))))
    }

    /// What was kept sealed; none if it is no text.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(std::str::from_utf8(bytes).ok()?.to_owned())))
    }

    /// The address with its credentials: for whoever connects, and for whoever seals it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Schemes that the web does not know leave a host as it was written.
fn is_reachable(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            (1..=253).contains(&name.len()) && name.bytes().all(fits)
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

/// Bytes of what is written as `%XX` or plainly.
fn decoded(text: &str) -> usize {
    let written =
        |at: &[u8]| matches!(at, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    text.len() - 2 * text.as_bytes().windows(3).filter(|at| written(at)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_only_where_the_engine_can_use_all_of_it() {
        use Engine::{Baileys, Native, Sandbox};
        let long = "x".repeat(256);
        for (text, engine, expected) in [
            ("socks5://proxy.example:1080", Native, Ok("socks5://proxy.example:1080")),
            ("socks5://proxy.example", Native, Ok("socks5://proxy.example:1080")),
            ("socks5://u:p%40ss@10.0.0.1:9050", Baileys, Ok("socks5://u:p%40ss@10.0.0.1:9050")),
            ("http://u:p@[::1]:3128/", Native, Ok("http://u:p@[::1]:3128/")),
            ("HTTP://Proxy.Example", Native, Ok("http://proxy.example/")),
            ("https://proxy.example:8443", Baileys, Ok("https://proxy.example:8443/")),
            ("https://proxy.example:8443", Native, Err(NotAProxy::Scheme { engine: Native })),
            ("socks5h://proxy.example", Native, Err(NotAProxy::Scheme { engine: Native })),
            ("socks4://proxy.example", Baileys, Err(NotAProxy::Scheme { engine: Baileys })),
            ("http://proxy.example", Sandbox, Err(NotAProxy::Scheme { engine: Sandbox })),
            ("proxy.example:1080", Native, Err(NotAProxy::Scheme { engine: Native })),
            ("", Native, Err(NotAProxy::NoAddress)),
            ("http://", Native, Err(NotAProxy::NoAddress)),
            (" http://proxy.example", Native, Err(NotAProxy::NoAddress)),
            ("http://pro\nxy.example", Native, Err(NotAProxy::NoAddress)),
            ("socks5://", Native, Err(NotAProxy::Host)),
            ("socks5://pro%00xy", Native, Err(NotAProxy::Host)),
            ("http://proxy.example:0", Native, Err(NotAProxy::Port)),
            ("http://proxy.example:70000", Native, Err(NotAProxy::NoAddress)),
            ("http://proxy.example/way", Native, Err(NotAProxy::Rest)),
            ("socks5://proxy.example?a=b", Native, Err(NotAProxy::Rest)),
            ("socks5://proxy.example#a", Native, Err(NotAProxy::Rest)),
            ("socks5://:secret@proxy.example", Native, Err(NotAProxy::Credentials)),
            (&format!("socks5://u:{long}@proxy.example"), Native, Err(NotAProxy::Credentials)),
            (&format!("socks5://u:{}%41@proxy.example", &long[2..]), Native, Ok("")),
            (&format!("http://{}.example", "x".repeat(URL_MAX)), Native, Err(NotAProxy::TooLong)),
        ] {
            let read = Proxy::parse(text, engine);
            match (&read, expected) {
                (Ok(_), Ok("")) => {}
                (Ok(proxy), Ok(expected)) => assert_eq!(proxy.expose(), expected, "{text}"),
                (Err(error), Err(expected)) => assert_eq!(*error, expected, "{text}"),
                other => panic!("{text} for {engine}: {other:?}"),
            }
        }
    }

    #[test]
    fn neither_an_address_nor_what_is_wrong_with_it_shows_a_word_of_it() {
        let secret = "hunter2";
        let proxy = Proxy::parse("socks5://somebody:hunter2@proxy.example", Engine::Native).expect("a proxy");
        assert!(!format!("{proxy:?}").contains(secret));
        for text in ["ftp://u:hunter2@host", "http://u:hunter2@", "http://u:hunter2@host/hunter2", "hunter2 "]
        {
            let error = Proxy::parse(text, Engine::Native).expect_err("no proxy");
            assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        }
    }
}
