//! Tokens of operators, and the first of them: one file, readable by its owner only, made on first start.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rand::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::keys::random_text;
use crate::domain::operator::TokenHash;

const PREFIX: &str = "col_op_";
const RANDOM: usize = 43;
const MODE: u32 = 0o600;

/// A token that opens `/v1/admin`. Hidden from `Debug`.
#[derive(Clone)]
pub struct OperatorToken {
    text: Zeroizing<String>,
    hash: [u8; 32],
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken(…)")
    }
}

impl OperatorToken {
    /// A new token, with 256 bits from `rng`.
    pub fn mint(rng: &mut impl CryptoRng) -> Self {
        Self::from_text(format!("{PREFIX}{}", *random_text(RANDOM, rng)))
    }

    /// Reads the token at `path`, or makes one there with mode 0600: whole or not at all, whatever happens meanwhile.
    /// A file that others may read is closed to them. `InvalidData` when the file holds something else.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match Self::load(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            loaded => loaded,
        }
    }

    /// Whether `presented` is the token. Takes the same time wherever the two differ.
    pub fn is(&self, presented: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        hash.ct_eq(&self.hash).into()
    }

    /// Whether `presented` claims to be an operator's token, right or wrong.
    pub fn resembles(presented: &str) -> bool {
        presented.starts_with(PREFIX)
    }

    /// How stores recognise it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(self.hash)
    }

    /// The text itself, for the operator's own tools.
    pub fn expose(&self) -> &str {
        &self.text
    }

    fn from_text(text: String) -> Self {
        let hash = Sha256::digest(text.as_bytes()).into();
        Self { text: Zeroizing::new(text), hash }
    }

    fn load(path: &Path) -> io::Result<Self> {
        let text = Zeroizing::new(fs::read_to_string(path)?);
        let token = text.trim();
        let random = token.strip_prefix(PREFIX).unwrap_or_default();
        if random.len() < RANDOM || !random.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let what =
                format!("{} holds no operator token; delete it to have a new one made", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(
                "the operator token could be read by others; it is closed to them now, replace it"
            );
            fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        }
        Ok(Self::from_text(token.to_owned()))
    }

    fn create(path: &Path) -> io::Result<Self> {
        let token = Self::mint(&mut rand::rng());
        let draft = path.with_extension("token.new");
        // Left by a start that died here; nobody has seen it.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&draft)?;
        writeln!(file, "{}", token.expose())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_the_token_for_its_owner_only_and_the_next_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.token");
        let first = OperatorToken::load_or_create(&path).expect("made");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = OperatorToken::load_or_create(&path).expect("read");
        assert!(second.is(first.expose()));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn a_draft_left_by_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.token");
        fs::write(folder.path().join("operator.token.new"), "col_op_half").expect("written");
        let token = OperatorToken::load_or_create(&path).expect("made");
        assert_eq!(fs::read_to_string(&path).expect("a file").trim(), token.expose());
    }

    #[test]
    fn a_file_that_others_may_read_is_closed_and_one_that_holds_something_else_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.token");
        OperatorToken::load_or_create(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        OperatorToken::load_or_create(&path).expect("read");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);

        fs::write(&path, "col_op_short").expect("written");
        let error = OperatorToken::load_or_create(&path).expect_err("not a token");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn only_the_very_token_opens() {
        let token = OperatorToken::mint(&mut rand::rng());
        assert!(token.is(token.expose()));
        let shorter = &token.expose()[..token.expose().len() - 1];
        for wrong in ["", "col_op_", shorter, &format!("{}x", token.expose())] {
            assert!(!token.is(wrong));
        }
        assert!(!format!("{token:?}").contains(&token.expose()[7..]));
    }
}
