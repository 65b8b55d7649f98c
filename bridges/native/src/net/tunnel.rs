//! A stream to a host, through a proxy where one is wanted, and TLS over it.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

/// The answer of an HTTP proxy is no longer than that.
const HEAD: u64 = 16 * 1024;

/// Connects to a host; by way of the proxy its name is resolved there, so that nothing of a session goes another way.
pub async fn connect(proxy: Option<&Url>, host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Some(proxy) = proxy else {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        return Ok(stream);
    };
    let at = proxy.host_str().ok_or_else(|| anyhow!("a proxy without a host"))?;
    let at = at.trim_start_matches('[').trim_end_matches(']');
    let at_port = proxy.port_or_known_default().unwrap_or(1080);
    let mut stream = TcpStream::connect((at, at_port)).await.context("the proxy does not answer")?;
    stream.set_nodelay(true)?;
    match proxy.scheme() {
        "http" => http_connect(stream, proxy, host, port).await,
        "socks5" => {
            socks5(&mut stream, proxy, host, port).await?;
            Ok(stream)
        }
        other => bail!("no proxy here speaks {other}"),
    }
}

/// Whether [`connect`] and [`Http`](super::Http) can speak to it.
pub fn is_spoken(proxy: &Url) -> bool {
    matches!(proxy.scheme(), "http" | "socks5") && proxy.host_str().is_some_and(|host| !host.is_empty())
}

fn credentials(proxy: &Url) -> Option<(String, String)> {
    let plain = |text: &str| percent_decoded(text);
    (!proxy.username().is_empty())
        .then(|| (plain(proxy.username()), plain(proxy.password().unwrap_or_default())))
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("a={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

async fn http_connect(stream: TcpStream, proxy: &Url, host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some((user, password)) = credentials(proxy) {
        let token = STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {token}\r\n"));
    }
    request.push_str("\r\n");
    // Read byte by byte to its end: what follows the head belongs to the tunnel.
    let mut stream = stream;
    stream.write_all(request.as_bytes()).await?;
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() as u64 >= HEAD {
            bail!("the proxy's answer has no end");
        }
        head.push(stream.read_u8().await.context("the proxy hung up")?);
    }
    let mut lines = BufReader::new(head.as_slice()).lines();
    let status = lines.next_line().await?.unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(stream),
        Some(code) => bail!("the proxy refused with {code}"),
        None => bail!("the proxy's answer is no HTTP"),
    }
}

/// RFC 1928, with the password of RFC 1929.
async fn socks5(stream: &mut TcpStream, proxy: &Url, host: &str, port: u16) -> anyhow::Result<()> {
    let credentials = credentials(proxy);
    let methods: &[u8] = if credentials.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(methods).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.context("the proxy hung up")?;
    match (chosen, &credentials) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let mut login = vec![1, u8::try_from(user.len()).context("the proxy's user name is too long")?];
            login.extend_from_slice(user.as_bytes());
            login.push(u8::try_from(password.len()).context("the proxy's password is too long")?);
            login.extend_from_slice(password.as_bytes());
            stream.write_all(&login).await?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await?;
            if answer[1] != 0 {
                bail!("the proxy refused the password");
            }
        }
        _ => bail!("the proxy wants a way to log in that is not known here"),
    }
    let mut request = vec![5, 1, 0, 3, u8::try_from(host.len()).context("a host's name of that length")?];
    request.extend_from_slice(host.as_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.context("the proxy hung up")?;
    if answer[1] != 0 {
        bail!("the proxy cannot reach the host ({})", answer[1]);
    }
    let rest = match answer[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => bail!("the proxy's answer is no SOCKS"),
    };
    stream.read_exact(&mut vec![0; rest + 2]).await?;
    Ok(())
}

/// TLS with the certificates of the web.
pub async fn secure(stream: TcpStream, host: &str) -> anyhow::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(config()).connect(name, stream).await?)
}

/// One for all sessions: the roots are half a megabyte.
fn config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        // No error can be told from here, and a second call finds the first one's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    };
    Arc::clone(CONFIG.get_or_init(make))
}
