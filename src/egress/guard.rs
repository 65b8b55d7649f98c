//! What may be named, and what may be reached.

use std::net::IpAddr;

use url::{Host, Url};

use super::addresses::is_public;
use crate::config::webhooks::{Target, WebhooksOptions};
use crate::domain::webhook::URL_MAX;

/// Ends of names that never lead outside: RFC 6761, RFC 6762, RFC 8375, RFC 7686, and what resolvers of clouds serve.
const INSIDE: [&str; 6] = ["localhost", "local", "internal", "home.arpa", "onion", "localdomain"];

/// The operator's rules.
#[derive(Debug, Clone)]
pub struct Guard {
    allowed: Vec<Target>,
    allow_http: bool,
    ports: Vec<u16>,
}

impl Guard {
    /// The rules that the settings give.
    pub fn new(options: &WebhooksOptions) -> Self {
        Self {
            allowed: options.allow_private.clone(),
            allow_http: options.allow_http,
            ports: options.ports.clone(),
        }
    }

    /// The address, read as browsers do, so that every notation of a number is that number; or what is wrong with it.
    pub fn vet(&self, url: &str) -> Result<Url, String> {
        if url.len() > URL_MAX {
            return Err(format!("at most {URL_MAX} bytes"));
        }
        let parsed = Url::parse(url)
            .map_err(|error| format!("not a URL such as https://example.com/hook: {error}"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("no user or password may stand in it; use a custom header".to_owned());
        }
        if parsed.fragment().is_some() {
            return Err("no fragment (#…) may stand in it: it would never be sent".to_owned());
        }
        let named = match parsed.host() {
            Some(Host::Domain(name)) => self.vet_name(name)?,
            Some(Host::Ipv4(address)) => self.vet_address(address.into())?,
            Some(Host::Ipv6(address)) => self.vet_address(address.into())?,
            None => return Err("it names no host".to_owned()),
        };
        match parsed.scheme() {
            "https" => {}
            "http" if self.allow_http || named => {}
            "http" => return Err("only https:// is allowed".to_owned()),
            other => return Err(format!("only https:// is allowed, not {other}://")),
        }
        let port = parsed.port_or_known_default().unwrap_or_default();
        if !named && !self.ports.contains(&port) {
            let ports: Vec<_> = self.ports.iter().map(u16::to_string).collect();
            return Err(format!("port {port} is not allowed; {} are", ports.join(", ")));
        }
        Ok(parsed)
    }

    /// Whether the operator has named this very host.
    fn vet_name(&self, name: &str) -> Result<bool, String> {
        let name = name.trim_end_matches('.');
        if self.names(name) {
            return Ok(true);
        }
        let inside =
            |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
        match INSIDE.into_iter().find(|end| inside(end)) {
            Some(end) => {
                Err(format!("names that end in {end} are not allowed: they lead to no public address"))
            }
            None => Ok(false),
        }
    }

    fn vet_address(&self, address: IpAddr) -> Result<bool, String> {
        match (self.covers(address), is_public(address)) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err("private and special addresses are not allowed".to_owned()),
        }
    }

    /// Whether a connection may be made, for a host, to an address of it.
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.covers(address) || self.names(host.trim_end_matches('.'))
    }

    fn covers(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|target| matches!(target, Target::Net(net) if net.contains(&address)))
    }

    fn names(&self, host: &str) -> bool {
        self.allowed
            .iter()
            .any(|target| matches!(target, Target::Host(name) if name.eq_ignore_ascii_case(host)))
    }
}
