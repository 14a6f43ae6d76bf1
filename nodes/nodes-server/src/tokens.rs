//! Who a bearer token belongs to, while the objects that it is bound to live.
//!
//! Way in: [`TokenAuthenticator`].

use std::sync::Arc;

use actors_object::{Value, json};
use actors_runtime::Clock;
use nodes_client::{Authenticator, Later};
use nodes_door::{Identity, token_identity};
use nodes_pki::Pki;

use crate::Gate;

/// Believes the tokens that this cluster signed.
pub(crate) struct TokenAuthenticator {
    pki: Arc<Pki>,
    gate: Gate,
    audiences: Vec<String>,
}

impl TokenAuthenticator {
    /// An authenticator for tokens meant for one of `audiences`.
    pub(crate) fn new(pki: Arc<Pki>, gate: Gate, audiences: Vec<String>) -> Self {
        Self { pki, gate, audiences }
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let verified = self.pki.tokens.verify(token, &self.audiences, Clock.now().wall);
        // The client learns only that it is not known.
        let claims = verified.inspect_err(|why| tracing::info!(%why, "a token is refused")).ok()?;
        let claims = serde_json::to_vec(&claims).ok()?;
        json::parse(&claims, json::Limits::default()).ok().map(|parsed| parsed.value)
    }

    async fn identity(&self, token: &str) -> Option<Identity> {
        let claims = self.claims(token)?;
        let known = || token_identity(&claims, &self.gate.store().snapshot());
        let mut identity = known();
        // What it is bound to may be younger than what this replica shows.
        if identity.is_none()
            && self.gate.may_be_behind()
            && self.gate.confirm_fresh().await.is_ok()
        {
            identity = known();
        }
        if identity.is_none() {
            let subject = claims.str_at(&["sub"]);
            tracing::info!(subject, "a token outlived what it is bound to");
        }
        identity
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate<'a>(&'a self, token: &'a str) -> Later<'a, Option<Identity>> {
        Box::pin(self.identity(token))
    }
}
