//! An authority of a test's own and a certificate for this machine, by the `openssl` that comes with PostgreSQL's package.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A certificate for 127.0.0.1, and the authority that signed it.
pub struct Certificate(TempDir);

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

impl Certificate {
    pub fn make() -> Self {
        let made = Self(TempDir::new().unwrap());
        std::fs::write(made.path("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let request =
            [&["req"], &KEY[..], &["-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "request"]];
        let authority = [&["req", "-x509", "-days", "2"], &KEY[..]];
        let authority =
            [&authority.concat()[..], &["-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem"]];
        let sign = ["x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        let sign = [&sign[..], &["-days", "2", "-extfile", "names", "-out", "cert.pem"]];
        for arguments in [authority.concat(), request.concat(), sign.concat()] {
            let done = Command::new("openssl").args(&arguments).current_dir(made.0.path()).output();
            let done = done.unwrap_or_else(|error| panic!("openssl ({error}); run: apt-get install openssl"));
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        made
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.path("cert.pem")
    }

    /// The key of the server's certificate.
    pub fn key(&self) -> PathBuf {
        self.path("key.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }
}
