//! Tokens by which machines join: what they are called, how they lie in a Secret, whether one is good.
//!
//! Way in: [`BootstrapToken::generate`], [`BootstrapToken::manifest`] for who makes one; [`TokenFacts::of`],
//! [`TokenFacts::check`] for who is shown one.
//! Spec: Kubernetes documentation, "Authenticating with Bootstrap Tokens": `ID.SECRET`, a Secret `bootstrap-token-ID`
//! of
//! type `bootstrap.kubernetes.io/token` in `kube-system`. Our own keys say which roles may join, whether it is for one
//! use, who used it, and that it was revoked; a token that was revoked is kept, so that its refusal can say so.

use std::{fmt, time::Duration};

use actors_core::{Rng, Wall};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::NodeRole;

/// The type of the Secrets.
const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";

const ID_LEN: usize = 6;
const SECRET_LEN: usize = 16;

/// One token. `Display` shows it with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    /// Six letters and digits: names the token, and is no secret.
    pub id: String,
    /// Sixteen letters and digits.
    pub secret: String,
}

/// What a new token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOptions {
    /// Which roles may join with it.
    pub roles: Vec<NodeRole>,
    /// How long it is good; `None` for ever.
    pub life: Option<Duration>,
    /// Whether it is good for one machine only.
    pub once: bool,
    /// What people read.
    pub description: String,
}

/// What a Secret says of its token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    /// Its id.
    pub id: String,
    secret: String,
    /// Whether servers may join with it.
    pub servers: bool,
    /// Whether agents may join with it.
    pub agents: bool,
    /// When it ends: RFC 3339, as written.
    pub expiration: Option<String>,
    /// Whether it is good for one machine only.
    pub once: bool,
    /// Who joined with it.
    pub used_by: Option<String>,
    /// Whether it was taken back.
    pub revoked: bool,
    /// What people read.
    pub description: String,
}

/// For what a token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUse<'a> {
    /// What is joining.
    pub role: NodeRole,
    /// Its name.
    pub node: &'a str,
}

/// Why a token is not good: one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not six and sixteen letters and digits.
    #[error("the token is malformed: it must be ID.SECRET, 6 and 16 of a-z and 0-9")]
    Malformed,
    /// Nobody made it here, or its secret is another.
    #[error("the token is wrong: this cluster has none like it")]
    Wrong,
    /// Its time is over.
    #[error("the token {id} expired at {at}")]
    Expired {
        /// Its id.
        id: String,
        /// When.
        at: String,
    },
    /// Somebody took it back.
    #[error("the token {id} was revoked")]
    Revoked {
        /// Its id.
        id: String,
    },
    /// It was for one machine.
    #[error("the token {id} was good for one machine and was used by {node}")]
    Used {
        /// Its id.
        id: String,
        /// Who used it.
        node: String,
    },
    /// It is for others.
    #[error("the token {id} does not let a machine join as {role}")]
    Role {
        /// Its id.
        id: String,
        /// As what.
        role: NodeRole,
    },
}

impl TokenRefusal {
    /// One word for counters.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::Used { .. } => "used",
            Self::Role { .. } => "role",
        }
    }
}

impl BootstrapToken {
    /// A new token; `rng` must be seeded from the operating system.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        let mut text = |len: usize| -> String {
            let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
            let one = |_| {
                letters.get(usize::try_from(rng.below(36)).unwrap_or(0)).copied().unwrap_or(b'a')
            };
            (0..len).map(one).map(char::from).collect()
        };
        Self { id: text(ID_LEN), secret: text(SECRET_LEN) }
    }

    /// Understands `ID.SECRET`.
    ///
    /// # Errors
    /// [`TokenRefusal::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenRefusal> {
        let good = |part: &str, len: usize| {
            part.len() == len
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let (id, secret) = text.trim().split_once('.').ok_or(TokenRefusal::Malformed)?;
        if !good(id, ID_LEN) || !good(secret, SECRET_LEN) {
            return Err(TokenRefusal::Malformed);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The name of the Secret that holds it, in `kube-system`.
    #[must_use]
    pub fn secret_name(id: &str) -> String {
        format!("bootstrap-token-{id}")
    }

    /// The Secret to create: `POST /api/v1/namespaces/kube-system/secrets`.
    #[must_use]
    pub fn manifest(&self, options: &TokenOptions, now: Wall) -> Value {
        let truth = |wanted: bool| if wanted { "true" } else { "false" };
        let may = |role| truth(options.roles.contains(&role));
        let mut data = json!({
            "token-id": self.id,
            "token-secret": self.secret,
            "description": options.description,
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "usage-starling-server": may(NodeRole::Server),
            "usage-starling-agent": may(NodeRole::Agent),
            "once": truth(options.once),
        });
        if let Some(life) = options.life {
            let end = OffsetDateTime::from_unix_timestamp(now.after(life).as_secs());
            let end = end.ok().and_then(|end| end.format(&Rfc3339).ok());
            data["expiration"] = end.map_or(Value::Null, Value::String);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": Self::secret_name(&self.id), "namespace": "kube-system" },
            "type": SECRET_TYPE,
            "stringData": data,
        })
    }
}

/// The merge patch that takes a token back: for its Secret.
#[must_use]
pub fn revocation_patch() -> Value {
    json!({ "data": { "revoked": BASE64.encode("true") } })
}

impl fmt::Display for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootstrapToken({})", self.id)
    }
}

impl TokenFacts {
    /// What a Secret of the API says of its token; `None` if it holds none.
    #[must_use]
    pub fn of(secret: &Value) -> Option<Self> {
        if secret["type"] != SECRET_TYPE {
            return None;
        }
        let text = |name: &str| {
            let bytes = BASE64.decode(secret["data"][name].as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        };
        let truth = |name: &str| text(name).as_deref() == Some("true");
        Some(Self {
            id: text("token-id")?,
            secret: text("token-secret")?,
            servers: truth("usage-starling-server"),
            agents: truth("usage-starling-agent"),
            expiration: text("expiration").filter(|text| !text.is_empty()),
            once: truth("once"),
            used_by: text("used-by"),
            revoked: truth("revoked"),
            description: text("description").unwrap_or_default(),
        })
    }

    /// Whether the token is good for this use now.
    ///
    /// # Errors
    /// Why not. A machine that joined with a token for one use may show it again, until the token expires: its
    /// answer may have been lost.
    pub fn check(
        &self,
        token: &BootstrapToken,
        wanted: TokenUse<'_>,
        now: Wall,
    ) -> Result<(), TokenRefusal> {
        // Digests are compared, so that the time it takes tells nothing of the secret.
        let of = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let good = of(&self.secret).as_ref() == of(&token.secret).as_ref();
        // What follows is said only to those who know the secret.
        if !good || self.id != token.id {
            return Err(TokenRefusal::Wrong);
        }
        let id = self.id.clone();
        if self.revoked {
            return Err(TokenRefusal::Revoked { id });
        }
        if let Some(at) = &self.expiration {
            let end = OffsetDateTime::parse(at, &Rfc3339).map(OffsetDateTime::unix_timestamp);
            // A time that nobody can read ends a token: it must not become one without an end.
            if end.is_err() || end.is_ok_and(|end| now.as_secs() >= end) {
                return Err(TokenRefusal::Expired { id, at: at.clone() });
            }
        }
        let may = match wanted.role {
            NodeRole::Server => self.servers,
            NodeRole::Agent => self.agents,
        };
        if !may {
            return Err(TokenRefusal::Role { id, role: wanted.role });
        }
        match &self.used_by {
            Some(node) if self.once && node != wanted.node => {
                Err(TokenRefusal::Used { id, node: node.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The merge patch that marks the token as used by a node.
    #[must_use]
    pub fn used_patch(node: &str) -> Value {
        json!({ "data": { "used-by": BASE64.encode(node) } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_800_000_000 * 1_000_000_000);
    const AGENT: TokenUse<'_> = TokenUse { role: NodeRole::Agent, node: "agent-1" };

    /// As the API would show the Secret.
    fn stored(token: &BootstrapToken, options: &TokenOptions) -> Value {
        let mut secret = token.manifest(options, NOW);
        for (name, text) in secret["stringData"].as_object().cloned().unwrap_or_default() {
            secret["data"][name] = json!(BASE64.encode(text.as_str().unwrap_or_default()));
        }
        secret
    }

    fn options() -> TokenOptions {
        TokenOptions {
            roles: vec![NodeRole::Agent],
            life: Some(Duration::from_secs(3_600)),
            once: true,
            description: "for a test".to_owned(),
        }
    }

    fn check(change: Value, wanted: TokenUse<'_>, now: Wall, said: &str) {
        let token = BootstrapToken::generate(&mut Rng::from_number(1));
        let mut secret = stored(&token, &options());
        for (name, text) in change["data"].as_object().cloned().unwrap_or_default() {
            secret["data"][name] = text;
        }
        let facts = TokenFacts::of(&secret).expect("a token");
        let answer = match facts.check(&token, wanted, now) {
            Ok(()) => "good".to_owned(),
            Err(refusal) => refusal.to_string().replace(&token.id, "ID"),
        };
        assert_eq!(answer, said);
    }

    #[test]
    fn a_token_is_good_for_what_it_was_made_for() {
        let later = |seconds| NOW.after(Duration::from_secs(seconds));
        let server = TokenUse { role: NodeRole::Server, node: "server-2" };
        let other = TokenUse { node: "agent-2", ..AGENT };
        let expired = "the token ID expired at 2027-01-15T09:00:00Z";
        check(json!({}), AGENT, later(3_599), "good");
        check(json!({}), AGENT, later(3_600), expired);
        check(json!({}), server, NOW, "the token ID does not let a machine join as server");
        check(revocation_patch(), AGENT, NOW, "the token ID was revoked");
        let used = || TokenFacts::used_patch("agent-1");
        check(used(), AGENT, NOW, "good");
        check(used(), other, NOW, "the token ID was good for one machine and was used by agent-1");
        let unreadable = json!({ "data": { "expiration": BASE64.encode("soon") } });
        check(unreadable, AGENT, NOW, "the token ID expired at soon");
    }

    #[test]
    fn another_secret_is_told_nothing_more_than_that_it_is_wrong() {
        let token = BootstrapToken::generate(&mut Rng::from_number(1));
        let other = BootstrapToken::generate(&mut Rng::from_number(2));
        let guess = BootstrapToken { id: token.id.clone(), secret: other.secret };
        let mut secret = stored(&token, &options());
        secret["data"]["revoked"] = revocation_patch()["data"]["revoked"].clone();
        let facts = TokenFacts::of(&secret).expect("a token");
        assert_eq!(facts.check(&guess, AGENT, NOW), Err(TokenRefusal::Wrong));
    }

    #[test]
    fn a_token_reads_as_it_is_written() {
        let token = BootstrapToken::generate(&mut Rng::from_number(7));
        assert_eq!(BootstrapToken::parse(&token.to_string()), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(&token.secret));
        for text in ["", "abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", "a.b.c"] {
            assert_eq!(BootstrapToken::parse(text), Err(TokenRefusal::Malformed), "{text}");
        }
    }
}
