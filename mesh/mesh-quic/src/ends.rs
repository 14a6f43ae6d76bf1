//! Why links end: the codes that travel, and what they are called here.
//!
//! Way in: [`CloseCode`], [`reason`].
//! Spec: RFC 9000 sections 10 (how a connection ends) and 20.1 (0x0100 to 0x01ff are TLS alerts).

use quinn::{ConnectionError, TransportErrorCode, VarInt};

use crate::DownReason;

/// What one end tells the other when it closes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseCode {
    /// The process stops.
    Orderly = 1,
    /// The other end is not welcome.
    Refused = 2,
    /// Another link takes the place of this one.
    Superseded = 3,
    /// The other end sent what cannot be read.
    Protocol = 4,
    /// The link is not wanted any more.
    Unwanted = 5,
}

impl CloseCode {
    pub(crate) fn number(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    fn of(number: VarInt) -> Option<Self> {
        [Self::Orderly, Self::Refused, Self::Superseded, Self::Protocol, Self::Unwanted]
            .into_iter()
            .find(|code| code.number() == number)
    }
}

/// What an end of a link to `peer` is called.
pub(crate) fn reason(error: &ConnectionError, peer: &str) -> DownReason {
    let refused = |text: &[u8]| {
        let text = sentence(&String::from_utf8_lossy(text)).to_owned();
        DownReason::Refused(format!("{peer} refuses this process: {text}"))
    };
    match error {
        ConnectionError::ApplicationClosed(close) => match CloseCode::of(close.error_code) {
            Some(CloseCode::Orderly | CloseCode::Unwanted) => DownReason::Closed,
            Some(CloseCode::Refused) => refused(&close.reason),
            Some(CloseCode::Superseded) => {
                DownReason::Error("another link takes the place of this one".to_owned())
            }
            Some(CloseCode::Protocol) | None => {
                let text = String::from_utf8_lossy(&close.reason);
                DownReason::Error(format!("{peer} closed the link: {text}"))
            }
        },
        ConnectionError::ConnectionClosed(close) if is_tls(close.error_code) => {
            refused(&close.reason)
        }
        ConnectionError::TransportError(error) if is_tls(error.code) => {
            DownReason::Refused(sentence(&error.reason).to_owned())
        }
        // The endpoint stops, and the links with it.
        ConnectionError::LocallyClosed => DownReason::Closed,
        ConnectionError::Reset => DownReason::Reset,
        ConnectionError::TimedOut => DownReason::Idle,
        other => DownReason::Error(other.to_string()),
    }
}

/// The sentence with which this end refused the other during the handshake, if it did.
pub(crate) fn own_refusal(error: &ConnectionError) -> Option<&str> {
    match error {
        ConnectionError::TransportError(error) if is_tls(error.code) => {
            Some(sentence(&error.reason))
        }
        _ => None,
    }
}

fn is_tls(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

/// The words of our own verifier without what the TLS library puts before them.
fn sentence(text: &str) -> &str {
    text.strip_prefix("unexpected error: ").unwrap_or(text)
}
