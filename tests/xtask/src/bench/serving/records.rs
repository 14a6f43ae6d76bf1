//! The records of a TLS 1.3 connection, opened where they were read: nothing is copied, nothing is kept.
//!
//! Way in: [`Records::of`] a connection whose handshake is over; [`Records::open`].
//! Spec: RFC 8446, section 5; each record is decrypted and authenticated as any client does it.

use anyhow::{Context as _, Result, bail};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::{ClientConnection, ConnectionTrafficSecrets};

/// Type, version and length.
const HEAD: usize = 5;

/// Content types. Spec: RFC 8446, section 5.1.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

/// A message of the handshake that may come later and means nothing to who does not come back.
const NEW_SESSION_TICKET: u8 = 4;

/// What a server sends on one connection.
pub(crate) struct Records {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

/// What was found in some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    /// How many of the bytes were whole records.
    pub(crate) used: usize,
    /// Whether the server ended the connection.
    pub(crate) is_over: bool,
}

impl Records {
    /// What comes next on this connection, of which everything that came was read.
    pub(crate) fn of(connection: ClientConnection) -> Result<Self> {
        let (sequence, secrets) = connection.dangerous_extract_secrets()?.rx;
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            _ => bail!("the connection has another cipher than AES-GCM"),
        };
        let iv = iv.as_ref().try_into()?;
        let key = UnboundKey::new(algorithm, key.as_ref()).ok().context("a key of a wrong size")?;
        Ok(Self { key: LessSafeKey::new(key), iv, sequence })
    }

    /// Opens all whole records that these bytes begin with, and gives their contents away.
    pub(crate) fn open(
        &mut self,
        bytes: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Opened> {
        let mut used = 0;
        while let Some((head, rest)) = bytes[used..].split_first_chunk_mut::<HEAD>() {
            let len = usize::from(u16::from_be_bytes([head[3], head[4]]));
            let Some(record) = rest.get_mut(..len) else { break };
            let nonce = self.nonce();
            let content = self.key.open_in_place(nonce, Aad::from(&*head), record);
            let content = content.ok().context("a record is not authentic")?;
            used += HEAD + len;
            // The type stands behind the content, and zeros may stand behind that.
            let end = content.iter().rposition(|byte| *byte != 0).context("an empty record")?;
            let (content, kind) = (&content[..end], content[end]);
            match kind {
                APPLICATION => take(content)?,
                HANDSHAKE if content.first() == Some(&NEW_SESSION_TICKET) => {}
                ALERT => return Ok(Opened { used, is_over: true }),
                _ => bail!("a record of type {kind} in the midst of a body"),
            }
        }
        Ok(Opened { used, is_over: false })
    }

    /// Spec: RFC 8446, section 5.3.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        let sequence = self.sequence.to_be_bytes();
        nonce.iter_mut().skip(NONCE_LEN - sequence.len()).zip(sequence).for_each(|(a, b)| *a ^= b);
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}
