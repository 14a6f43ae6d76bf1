//! Handshakes: a connection becomes a link when both ends have greeted each other.
//!
//! Way in: [`call`] for the end that dials, [`welcome`] for the other.
//! Time and order: TLS first, in which each end refuses a wrong certificate; then the dialing end
//! opens the control lane with its greeting; then the other end, if it adopts the link, greets back.

use std::{net::SocketAddr, time::Duration};

use mesh_wire::{Hello, Opening, Splitter};
use quinn::{Connecting, Connection, RecvStream, SendStream};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::{
    DownReason, StreamError,
    ends::{self, CloseCode},
    identity::Facts,
    lane,
    shared::Shared,
    stream::{next_message, write_message},
};

/// How long a whole handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// A connection on which the other end has greeted.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) connection: Connection,
    pub(crate) facts: Facts,
    pub(crate) hello: Hello,
    /// The control lane.
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    /// What came on it behind the greeting.
    pub(crate) splitter: Splitter,
}

/// Why there is no link.
#[derive(Debug)]
pub(crate) struct NoLink {
    pub(crate) why: DownReason,
    /// The sentence, if it was this end that refused.
    pub(crate) own_refusal: Option<String>,
}

impl NoLink {
    fn lost(connection: &Connection, node: &str, error: &StreamError) -> Self {
        let lost = connection.close_reason();
        let other = || DownReason::Error(error.to_string());
        let why = lost.map_or_else(other, |error| ends::reason(&error, node));
        Self { why, own_refusal: None }
    }

    fn error(text: impl Into<String>) -> Self {
        Self { why: DownReason::Error(text.into()), own_refusal: None }
    }
}

/// Calls a peer, and awaits its greeting.
pub(crate) async fn call(
    shared: &Shared,
    node: &str,
    address: SocketAddr,
) -> Result<Established, NoLink> {
    let greet = async {
        let endpoint = shared.endpoint().ok_or_else(|| NoLink::error("nothing listens here"))?;
        let connecting = endpoint.connect_with(shared.client_config(), address, node);
        let connecting = connecting.map_err(|error| NoLink::error(error.to_string()))?;
        let (connection, facts) = handshake(connecting, node).await?;
        let lost = |error: StreamError| NoLink::lost(&connection, node, &error);
        let opened = connection.open_bi().await;
        let (mut send, mut recv) =
            opened.map_err(|error| lost(StreamError::Lost(error.to_string())))?;
        let opening = Opening::Link(shared.hello()).encode();
        write_message(&mut send, opening).await.map_err(lost)?;
        let mut splitter = lane::splitter(mesh_wire::Lane::Control);
        let message = next_message(&mut recv, &mut splitter).await.map_err(lost)?;
        let message = message.ok_or_else(|| lost(StreamError::Reset))?;
        let hello = Hello::decode(&message).map_err(|error| {
            let text = error.to_string();
            connection.close(CloseCode::Protocol.number(), text.as_bytes());
            NoLink::error(text)
        })?;
        Ok(Established { connection, facts, hello, send, recv, splitter })
    };
    let late = |_| NoLink { why: DownReason::Idle, own_refusal: None };
    timeout(HANDSHAKE_MAX, greet).await.map_err(late)?
}

/// Welcomes a peer that calls, and awaits its greeting; it is greeted back when its link is adopted.
pub(crate) async fn welcome(
    shared: &Shared,
    connecting: Connecting,
) -> Result<Established, NoLink> {
    let greet = async {
        let (connection, facts) = handshake(connecting, "a caller").await?;
        let node = facts.peer.node.as_str();
        let refuse = |code: CloseCode, text: String| {
            connection.close(code.number(), text.as_bytes());
            NoLink { why: DownReason::Refused(text.clone()), own_refusal: Some(text) }
        };
        if node == shared.me.node {
            let text = format!("{} calls, and that is the name of this process", facts.peer);
            return Err(refuse(CloseCode::Refused, text));
        }
        let lost = |error: StreamError| NoLink::lost(&connection, node, &error);
        let accepted = connection.accept_bi().await;
        let (send, mut recv) =
            accepted.map_err(|error| lost(StreamError::Lost(error.to_string())))?;
        let mut splitter = lane::splitter(mesh_wire::Lane::Control);
        let message = next_message(&mut recv, &mut splitter).await;
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => return Err(lost(StreamError::Reset)),
            Err(StreamError::Malformed(text)) => {
                return Err(refuse(
                    CloseCode::Protocol,
                    format!("{} sent no greeting: {text}", facts.peer),
                ));
            }
            Err(error) => return Err(lost(error)),
        };
        match Opening::decode(&message) {
            Ok(Opening::Link(hello)) => {
                Ok(Established { connection, facts, hello, send, recv, splitter })
            }
            Ok(_) => Err(refuse(CloseCode::Protocol, format!("{} sent no greeting", facts.peer))),
            Err(error) => {
                let text = format!("{} sent no greeting: {error}", facts.peer);
                Err(refuse(CloseCode::Protocol, text))
            }
        }
    };
    let late = |_| NoLink::error("the handshake took too long");
    timeout(HANDSHAKE_MAX, greet).await.map_err(late)?
}

async fn handshake(connecting: Connecting, node: &str) -> Result<(Connection, Facts), NoLink> {
    let connection = connecting.await.map_err(|error| NoLink {
        why: ends::reason(&error, node),
        own_refusal: ends::own_refusal(&error).map(str::to_owned),
    })?;
    let identity = connection.peer_identity();
    let chain = identity.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    let leaf = chain.as_ref().and_then(|chain| chain.first());
    // The verifier has read the same bytes, so this does not fail.
    let facts = leaf.ok_or_else(|| NoLink::error("there is no certificate"))?;
    let facts = Facts::read(facts).map_err(|error| NoLink::error(error.to_string()))?;
    Ok((connection, facts))
}
