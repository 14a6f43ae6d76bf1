//! Who a process is, as its certificate says: role, node, cluster, site.
//!
//! Way in: [`Peer::from_uri`], [`Peer::uri`].
//! Spec: RFC 5280 section 4.2.1.6 (a URI as subject alternative name); the form of the URI is ours:
//! `starling://CLUSTER/SITE/ROLE/NODE`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a process is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Votes, stores, decides; may speak to every service.
    Server,
    /// Runs pods; may speak only to what it needs for that.
    Agent,
}

impl Role {
    /// As it stands in certificates and tables: `server` or `agent`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
        }
    }

    /// The role of this text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Server, Self::Agent].into_iter().find(|role| role.text() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// One process of a cluster, named by its certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// What it may do.
    pub role: Role,
    /// The name of its node; unique in the cluster.
    pub node: String,
    /// The uid of its cluster.
    pub cluster: String,
    /// Where it stands; `default` unless it was configured.
    pub site: String,
}

/// Why a text names no peer. Whoever made the certificate mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It is not of the form `starling://CLUSTER/SITE/ROLE/NODE`.
    #[error("{0:?} is not of the form starling://CLUSTER/SITE/ROLE/NODE")]
    Form(String),
    /// There is no such role.
    #[error("{0:?} is no role: it must be server or agent")]
    Role(String),
    /// A part has a character or a length that names do not have.
    #[error("{0:?} is no name: 1 to 253 of a-z, 0-9, '-' and '.'")]
    Name(String),
}

impl Peer {
    /// Most bytes of each name: that of a DNS name (RFC 1035 section 2.3.4).
    pub const NAME_LEN_MAX: usize = 253;

    const SCHEME: &'static str = "starling://";

    /// Whether this URI claims to be one of ours, however wrong it may be.
    #[must_use]
    pub fn is_ours(uri: &str) -> bool {
        uri.starts_with(Self::SCHEME)
    }

    /// Reads the URI of a certificate.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn from_uri(uri: &str) -> Result<Self, PeerError> {
        let form = || PeerError::Form(uri.chars().take(512).collect());
        let rest = uri.strip_prefix(Self::SCHEME).ok_or_else(form)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let [cluster, site, role, node] = parts[..] else { return Err(form()) };
        for name in [cluster, site, node] {
            if !is_name(name) {
                return Err(PeerError::Name(name.chars().take(256).collect()));
            }
        }
        let role = Role::from_text(role)
            .ok_or_else(|| PeerError::Role(role.chars().take(256).collect()))?;
        Ok(Self { role, node: node.into(), cluster: cluster.into(), site: site.into() })
    }

    /// What a certificate of this peer must carry as a subject alternative name, besides the DNS
    /// name [`Peer::node`].
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{}{}/{}/{}/{}", Self::SCHEME, self.cluster, self.site, self.role, self.node)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.node)
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    !name.is_empty() && name.len() <= Peer::NAME_LEN_MAX && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: &str) {
        let read = Peer::from_uri(uri);
        let text = read.map_or_else(|error| error.to_string(), |peer| format!("{peer:?}"));
        assert_eq!(text, expected, "{uri}");
    }

    #[test]
    fn a_uri_names_a_peer_or_says_what_is_wrong() {
        let peer = Peer {
            role: Role::Agent,
            node: "agent-1".into(),
            cluster: "0123456789abcdef0123456789abcdef".into(),
            site: "default".into(),
        };
        assert_eq!(peer.uri(), "starling://0123456789abcdef0123456789abcdef/default/agent/agent-1");
        assert_eq!(Peer::from_uri(&peer.uri()), Ok(peer));
        let form = "is not of the form starling://CLUSTER/SITE/ROLE/NODE";
        check("https://c/s/agent/n", &format!("\"https://c/s/agent/n\" {form}"));
        check("starling://c/s/agent", &format!("\"starling://c/s/agent\" {form}"));
        check("starling://c/s/agent/n/x", &format!("\"starling://c/s/agent/n/x\" {form}"));
        check("starling://c/s/king/n", "\"king\" is no role: it must be server or agent");
        let name = "is no name: 1 to 253 of a-z, 0-9, '-' and '.'";
        check("starling://c/s/agent/", &format!("\"\" {name}"));
        check("starling://c/S/agent/n", &format!("\"S\" {name}"));
    }
}
