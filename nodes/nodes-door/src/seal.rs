//! Sealing: what is secret is ciphertext before it is proposed, and nowhere else in clear.
//!
//! Way in: [`Sealer::seal`]; the catalog reads through the door's lens.
//! Owns: the cluster's sealing keys.  Invariant: a nonce is never used twice with one key: each is
//! drawn from the door's cryptographic stream.
//! Spec: AES-256-GCM (NIST SP 800-38D); the associated data are the object's key and uid, so that a
//! value cannot be moved to another object. In clear stay name, labels, owners and type.

use actors_core::Rng;
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use bytes::Bytes;
use store_mvcc::Key;

/// The version of the format: one byte, the key's number, the nonce, the ciphertext with its tag.
const FORMAT: u8 = 1;
const KEY_AT: usize = 1;
const NONCE_AT: usize = 5;
const TEXT_AT: usize = 17;

/// Seals with the newest key, opens with all of them.
pub struct Sealer {
    /// Invariant: never empty; the last one seals.
    keys: Vec<(u32, Aes256Gcm)>,
}

/// Why something was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are not what a sealer writes.
    #[error("the sealed value has an unknown form")]
    Malformed,
    /// The key is not here: the cluster was restored without it.
    #[error("sealing key {0} is missing")]
    UnknownKey(u32),
    /// The value was changed, moved, or sealed under another key of the same number.
    #[error("the sealed value is damaged or belongs to another object")]
    Damaged,
    /// A sealer needs at least one key.
    #[error("there is no sealing key")]
    NoKey,
}

impl Sealer {
    /// A sealer with these numbered keys; the last one seals from now on.
    ///
    /// # Errors
    /// [`SealError::NoKey`] if there is none.
    pub fn new(keys: &[(u32, [u8; 32])]) -> Result<Self, SealError> {
        if keys.is_empty() {
            return Err(SealError::NoKey);
        }
        let keys = keys.iter().map(|(number, key)| (*number, Aes256Gcm::new(key.into()))).collect();
        Ok(Self { keys })
    }

    /// The ciphertext of a value that will stand at `key` with this uid.
    ///
    /// # Errors
    /// [`SealError::Damaged`] if the value is longer than the cipher allows (64 GiB).
    pub fn seal(
        &self,
        (key, uid): (&Key, &str),
        value: &[u8],
        rng: &mut Rng,
    ) -> Result<Bytes, SealError> {
        let (number, cipher) = self.keys.last().ok_or(SealError::NoKey)?;
        let mut nonce = [0; TEXT_AT - NONCE_AT];
        rng.fill(&mut nonce);
        let aad = associated(key, uid);
        let payload = Payload { msg: value, aad: &aad };
        let text = cipher.encrypt((&nonce).into(), payload).map_err(|_| SealError::Damaged)?;
        let head = [&[FORMAT][..], &number.to_be_bytes(), &nonce].concat();
        Ok([head, text].concat().into())
    }

    /// The value behind a ciphertext.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, (key, uid): (&Key, &str), sealed: &[u8]) -> Result<Bytes, SealError> {
        let (head, text) = sealed.split_at_checked(TEXT_AT).ok_or(SealError::Malformed)?;
        let number: [u8; NONCE_AT - KEY_AT] =
            head[KEY_AT..NONCE_AT].try_into().map_err(|_| SealError::Malformed)?;
        let nonce: [u8; TEXT_AT - NONCE_AT] =
            head[NONCE_AT..].try_into().map_err(|_| SealError::Malformed)?;
        if head[0] != FORMAT {
            return Err(SealError::Malformed);
        }
        let number = u32::from_be_bytes(number);
        let found = self.keys.iter().find(|(known, _)| *known == number);
        let (_, cipher) = found.ok_or(SealError::UnknownKey(number))?;
        let aad = associated(key, uid);
        let payload = Payload { msg: text, aad: &aad };
        let value = cipher.decrypt((&nonce).into(), payload).map_err(|_| SealError::Damaged)?;
        Ok(value.into())
    }
}

impl std::fmt::Debug for Sealer {
    /// Keys are never shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<u32> = self.keys.iter().map(|(number, _)| *number).collect();
        f.debug_struct("Sealer").field("keys", &numbers).finish()
    }
}

fn associated(key: &Key, uid: &str) -> Vec<u8> {
    [key.as_bytes(), b"\0", uid.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let sealer = Sealer::new(&[(1, [7; 32])]).expect("one key");
        let mut rng = Rng::from_number(1);
        let key = Key::object("", "secrets", Some("default"), "s");
        let sealed = sealer.seal((&key, "u"), b"{}", &mut rng).expect("sealed");
        assert!(!sealed.windows(2).any(|pair| pair == b"{}"));
        assert_eq!(sealer.open((&key, "u"), &sealed), Ok(Bytes::from_static(b"{}")));
        assert_eq!(sealer.open((&key, "v"), &sealed), Err(SealError::Damaged));
        let other = Key::object("", "secrets", Some("default"), "t");
        assert_eq!(sealer.open((&other, "u"), &sealed), Err(SealError::Damaged));
        for at in 0..sealed.len() {
            let mut broken = sealed.to_vec();
            broken[at] ^= 1;
            assert!(sealer.open((&key, "u"), &broken).is_err(), "byte {at}");
            assert!(sealer.open((&key, "u"), &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let mut rng = Rng::from_number(2);
        let key = Key::object("", "secrets", Some("default"), "s");
        let old = Sealer::new(&[(1, [7; 32])]).expect("one key");
        let sealed = old.seal((&key, "u"), b"old", &mut rng).expect("sealed");
        let both = Sealer::new(&[(1, [7; 32]), (2, [8; 32])]).expect("two keys");
        assert_eq!(both.open((&key, "u"), &sealed), Ok(Bytes::from_static(b"old")));
        let newer = both.seal((&key, "u"), b"new", &mut rng).expect("sealed");
        assert_eq!(old.open((&key, "u"), &newer), Err(SealError::UnknownKey(2)));
        assert_eq!(Sealer::new(&[]).err(), Some(SealError::NoKey));
    }
}
