//! Sealing: XChaCha20-Poly1305 under a random nonce, bound to an address. What was sealed for one place opens at no
//! other.

use std::fmt::Write as _;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut as _, Generate as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::domain::id::{SessionId, TenantId};
use crate::ports::vault::Secret;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

/// How many bytes longer a sealed value is.
pub const OVERHEAD: usize = 1 + NONCE + TAG;

/// 32 random bytes that seal. Wiped when dropped; shows itself to nobody.
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A new one, from the operating system.
    pub fn mint() -> Self {
        Self(Zeroizing::new(<[u8; 32]>::generate()))
    }

    /// One that was kept; `None` unless it is 32 bytes long.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        (bytes.len() == key.len()).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// To be kept: sealed by another key, or in the key file.
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Seals a value for an address: version, nonce, ciphertext, tag.
    pub fn seal(&self, address: &str, value: &[u8]) -> Vec<u8> {
        let nonce = XNonce::generate();
        let mut sealed = Vec::with_capacity(value.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let body = InOutBuf::from(&mut sealed[1 + NONCE..]);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, address.as_bytes(), body)
            .expect("only a value of 256 GiB is too long");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what was sealed with this key for this address; `None` for anything else.
    pub fn open(&self, address: &str, sealed: &[u8]) -> Option<Secret> {
        let (&version, rest) = sealed.split_first()?;
        let (nonce, rest) = rest.split_at_checked(NONCE)?;
        let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        if version != VERSION {
            return None;
        }
        let (nonce, tag) = (XNonce::try_from(nonce).ok()?, Tag::try_from(tag).ok()?);
        let mut value = Zeroizing::new(body.to_vec());
        let body = InOutBuf::from(value.as_mut_slice());
        self.cipher().decrypt_inout_detached(&nonce, address.as_bytes(), body, &tag).ok()?;
        Some(value)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_slice().try_into().expect("32 bytes"))
    }
}

/// Where the records of one session live. A kind holds no slash and a key is written in hex, so no two records share
/// an address.
pub struct Addresses(String);

impl Addresses {
    /// Those of a session.
    pub fn of(tenant: TenantId, session: SessionId) -> Self {
        Self(format!("tenants/{tenant}/sessions/{session}"))
    }

    /// `tenants/<tenant id>/rows/<place>`: what is kept in another store's rows. No record of a session lies there.
    pub fn beside(tenant: TenantId, place: &str) -> String {
        format!("tenants/{tenant}/rows/{place}")
    }

    /// `tenants/<tenant id>/sessions/<session id>/<kind>/<hex key>`.
    pub fn record(&self, kind: &str, key: &[u8]) -> String {
        let mut address = String::with_capacity(self.0.len() + kind.len() + 2 * key.len() + 2);
        address.push_str(&self.0);
        address.push('/');
        address.push_str(kind);
        address.push('/');
        for byte in key {
            // Writing into a string cannot fail.
            let _ = write!(address, "{byte:02x}");
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_with_its_key_at_its_address_and_nowhere_else() {
        let key = Key::mint();
        let sealed = key.seal("here", b"state");
        assert_eq!(key.open("here", &sealed).as_deref(), Some(&b"state".to_vec()));
        assert!(key.open("there", &sealed).is_none());
        assert!(Key::mint().open("here", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(key.open("here", &bent).is_none(), "byte {at} is not covered");
            assert!(key.open("here", &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same_twice() {
        let key = Key::mint();
        assert_ne!(key.seal("here", b""), key.seal("here", b""));
    }
}
