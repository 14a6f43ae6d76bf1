//! chitchat's private encoder, reached through its own socket type on the loopback interface.
//!
//! Way in: [`Codec`].  Owns: two sockets on 127.0.0.1 that speak only to each other.
//! `chitchat::transport::UdpSocket` encodes what it sends and decodes what it receives. So: what is
//! to be encoded is sent by it to the plain socket; what is to be decoded is sent to it by the
//! plain one. Datagrams on the loopback interface keep their order.
//! Time and order: one decoding at a time; a decoding that is given up by its caller goes on.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use chitchat::{
    ChitchatEnvelope, ChitchatMessage, ProtocolVersion,
    transport::{Socket, UdpSocket},
};
use tokio::time::{Instant, timeout, timeout_at};

/// The largest datagram.
const DATAGRAM_LEN_MAX: usize = 65_507;

/// How long a datagram may take from one socket of this process to another.
const PATIENCE: Duration = Duration::from_secs(1);

/// Encodes and decodes envelopes.
pub(crate) struct Codec {
    chitchat: UdpSocket,
    chitchat_at: SocketAddr,
    plain: tokio::net::UdpSocket,
    plain_at: SocketAddr,
    buffer: Vec<u8>,
    /// What decodes to a message that says nothing; closes what could not be decoded.
    fence: Bytes,
    decoding: Decoding,
}

#[derive(Debug, Clone, Copy)]
enum Decoding {
    Idle,
    /// Something was handed over, until when it must have come out.
    Under(Instant),
    /// It did not come out: what comes until the fence is thrown away.
    Closing(Instant),
}

impl Codec {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let chitchat = UdpSocket::open(loopback).await?;
        let chitchat_at = chitchat.local_addr()?;
        let plain = tokio::net::UdpSocket::bind(loopback).await?;
        // Only what the other one sends is received.
        plain.connect(chitchat_at).await?;
        let plain_at = plain.local_addr()?;
        let mut codec = Self {
            chitchat,
            chitchat_at,
            plain,
            plain_at,
            buffer: vec![0; DATAGRAM_LEN_MAX],
            fence: Bytes::new(),
            decoding: Decoding::Idle,
        };
        let fence =
            ChitchatEnvelope { version: ProtocolVersion::V1, message: ChitchatMessage::BadCluster };
        codec.fence = codec.encode(fence).await?;
        Ok(codec)
    }

    /// Where chitchat believes to listen.
    pub(crate) fn address(&self) -> SocketAddr {
        self.chitchat_at
    }

    /// The bytes of a message.
    pub(crate) async fn encode(&mut self, envelope: ChitchatEnvelope) -> anyhow::Result<Bytes> {
        self.chitchat.send(self.plain_at, envelope).await?;
        let received = timeout(PATIENCE, self.plain.recv(&mut self.buffer)).await;
        let len = received.context("a datagram was lost on the loopback interface")??;
        Ok(Bytes::copy_from_slice(&self.buffer[..len]))
    }

    /// Whether something is being decoded.
    pub(crate) fn is_decoding(&self) -> bool {
        !matches!(self.decoding, Decoding::Idle)
    }

    /// Hands bytes over; what they mean comes from [`Codec::decoded`].
    pub(crate) fn begin_decoding(&mut self, bytes: &[u8]) {
        if bytes.len() > DATAGRAM_LEN_MAX || bytes.is_empty() {
            return;
        }
        match self.plain.try_send(bytes) {
            Ok(_) => self.decoding = Decoding::Under(Instant::now() + Duration::from_millis(100)),
            Err(error) => tracing::debug!(%error, "gossip was not decoded"),
        }
    }

    /// What was handed over, or `None` if it means nothing. May be dropped and called again.
    pub(crate) async fn decoded(&mut self) -> anyhow::Result<Option<ChitchatEnvelope>> {
        loop {
            let (deadline, is_closing) = match self.decoding {
                Decoding::Idle => return Ok(None),
                Decoding::Under(deadline) => (deadline, false),
                Decoding::Closing(deadline) => (deadline, true),
            };
            match timeout_at(deadline, self.chitchat.recv()).await {
                // Another process of this machine guessed the port.
                Ok(received)
                    if received.as_ref().is_ok_and(|got| got.from_addr != self.plain_at) =>
                {
                    tracing::warn!("a stranger sent to the codec's socket");
                }
                Ok(received) if is_closing => {
                    if matches!(received?.envelope.message, ChitchatMessage::BadCluster) {
                        self.decoding = Decoding::Idle;
                        return Ok(None);
                    }
                }
                Ok(received) => {
                    self.decoding = Decoding::Idle;
                    return Ok(Some(received?.envelope));
                }
                Err(_) if is_closing => bail!("a datagram was lost on the loopback interface"),
                Err(_) => {
                    // What cannot be decoded is skipped without a word.
                    self.plain.send(&self.fence).await?;
                    self.decoding = Decoding::Closing(Instant::now() + PATIENCE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> ChitchatEnvelope {
        ChitchatEnvelope { version: ProtocolVersion::V1, message: ChitchatMessage::BadCluster }
    }

    #[tokio::test]
    async fn what_is_encoded_is_decoded() {
        let mut codec = Codec::open().await.unwrap();
        let bytes = codec.encode(nothing()).await.unwrap();
        // Magic number, version, kind: chitchat's wire format of protocol version 1.
        assert_eq!(bytes[..], [0x53, 0xb0, 1, 3]);
        codec.begin_decoding(&bytes);
        assert_eq!(codec.decoded().await.unwrap(), Some(nothing()));
        assert!(!codec.is_decoding());
    }

    #[tokio::test]
    async fn garbage_means_nothing_and_harms_nothing() {
        let mut codec = Codec::open().await.unwrap();
        for garbage in [&b"x"[..], &[0x53, 0xb0, 1, 0], &[0xff; 9_000]] {
            codec.begin_decoding(garbage);
            assert_eq!(codec.decoded().await.unwrap(), None);
        }
        let bytes = codec.encode(nothing()).await.unwrap();
        codec.begin_decoding(&bytes);
        assert_eq!(codec.decoded().await.unwrap(), Some(nothing()));
    }

    #[tokio::test]
    async fn a_decoding_that_was_given_up_goes_on() {
        let mut codec = Codec::open().await.unwrap();
        let bytes = codec.encode(nothing()).await.unwrap();
        codec.begin_decoding(&bytes);
        drop(timeout(Duration::ZERO, codec.decoded()).await);
        let again = codec.encode(nothing()).await.unwrap();
        assert_eq!(again, bytes);
        if codec.is_decoding() {
            assert_eq!(codec.decoded().await.unwrap(), Some(nothing()));
        }
    }
}
