//! HTTP for the library: media, and the page that names the current version.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use ureq::{Agent, Body, Proxy, SendBody};
use url::Url;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};

/// The longest answer that is kept in memory; media is streamed.
const WHOLE: u64 = 16 << 20;
/// A server that takes longer to connect to is not there.
const CONNECT: Duration = Duration::from_secs(20);
/// A server that sends nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// One session's client: its proxy is its own.
pub struct Http {
    agent: Agent,
    /// A test server's media host has no certificate: its `https` addresses are spoken to in the clear, on this machine only.
    in_the_clear: bool,
}

impl Http {
    /// Through `proxy`, if there is one. `in_the_clear`: see the field.
    pub fn new(proxy: Option<&Url>, in_the_clear: bool) -> anyhow::Result<Self> {
        // By its other name, by which names are resolved there: by this one the client would ask for them itself, past the proxy.
        let named = |proxy: &Url| match proxy.as_str().strip_prefix("socks5://") {
            Some(rest) => format!("socks5h://{rest}"),
            None => proxy.to_string(),
        };
        let proxy = proxy.map(|proxy| Proxy::new(&named(proxy))).transpose().context("the proxy's address")?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .tls_config(tls)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .max_idle_connections(2)
            .max_idle_age(Duration::from_secs(15))
            .build();
        Ok(Self { agent: Agent::new_with_config(config), in_the_clear })
    }

    fn address(&self, url: &str) -> anyhow::Result<String> {
        if !self.in_the_clear {
            return Ok(url.to_owned());
        }
        let parsed = Url::parse(url)?;
        let host = parsed.host_str().unwrap_or_default();
        let is_near = host == "localhost"
            || host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<std::net::IpAddr>()
                .is_ok_and(|host| host.is_loopback());
        if !is_near {
            return Err(anyhow!("a test reaches this machine only"));
        }
        Ok(url.replacen("https://", "http://", 1))
    }

    fn run(&self, request: HttpRequest, body: SendBody) -> anyhow::Result<::http::Response<Body>> {
        let mut builder =
            ::http::Request::builder().method(request.method.as_str()).uri(self.address(&request.url)?);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        Ok(self.agent.run(builder.body(body)?)?)
    }
}

fn whole(response: ::http::Response<Body>) -> anyhow::Result<HttpResponse> {
    let status_code = response.status().as_u16();
    let mut body = vec![];
    response.into_body().into_reader().take(WHOLE + 1).read_to_end(&mut body)?;
    if body.len() as u64 > WHOLE {
        return Err(anyhow!("an answer beyond the bound"));
    }
    Ok(HttpResponse { status_code, body })
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, mut request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let me = Self { agent: self.agent.clone(), in_the_clear: self.in_the_clear };
        let work = move || {
            let bytes = request.body.take();
            match bytes {
                Some(bytes) => {
                    whole(me.run(request, SendBody::from_owned_reader(std::io::Cursor::new(bytes)))?)
                }
                None => whole(me.run(request, SendBody::none())?),
            }
        };
        tokio::task::spawn_blocking(work).await?
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        let response = self.run(request, SendBody::none())?;
        let status_code = response.status().as_u16();
        Ok(StreamingHttpResponse { status_code, body: Box::new(response.into_body().into_reader()) })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        mut request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        request.headers.insert("content-length".to_owned(), content_length.to_string());
        whole(self.run(request, SendBody::from_owned_reader(body))?)
    }
}
