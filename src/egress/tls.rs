//! How connections that leave the house are sealed: with the system's certificates, or those in the file that
//! `SSL_CERT_FILE` names.

use std::sync::Arc;

/// What a client of TLS is made of.
///
/// # Errors
/// Only when the library cannot be set up at all.
pub fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots())
        .with_no_client_auth())
}

/// Without any, nothing by https is delivered, which is no reason not to serve.
fn roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        tracing::warn!(
            "this system has no certificates of authorities: whatever goes out by https will fail; install \
             ca-certificates, or name a file with SSL_CERT_FILE"
        );
    }
    roots
}
