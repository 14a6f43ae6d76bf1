//! Who a bearer token belongs to, while the objects that it is bound to live.
//!
//! Way in: [`TokenAuthenticator`].

use std::sync::Arc;

use actors_object::json;
use actors_runtime::Clock;
use nodes_client::{Authenticator, Later};
use nodes_door::{Identity, token_identity};
use nodes_pki::Pki;
use store_service::Store;

/// Believes the tokens that this cluster signed.
pub(crate) struct TokenAuthenticator {
    pki: Arc<Pki>,
    store: Store,
    audiences: Vec<String>,
}

impl TokenAuthenticator {
    /// An authenticator for tokens meant for one of `audiences`.
    pub(crate) fn new(pki: Arc<Pki>, store: Store, audiences: Vec<String>) -> Self {
        Self { pki, store, audiences }
    }

    fn identity(&self, token: &str) -> Option<Identity> {
        let verified = self.pki.tokens.verify(token, &self.audiences, Clock.now().wall);
        // The client learns only that it is not known.
        let claims = verified.inspect_err(|why| tracing::info!(%why, "a token is refused")).ok()?;
        let claims = serde_json::to_vec(&claims).ok()?;
        let claims = json::parse(&claims, json::Limits::default()).ok()?.value;
        let identity = token_identity(&claims, &self.store.snapshot());
        if identity.is_none() {
            tracing::info!(
                subject = claims.str_at(&["sub"]),
                "a token outlived what it is bound to"
            );
        }
        identity
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate<'a>(&'a self, token: &'a str) -> Later<'a, Option<Identity>> {
        let identity = self.identity(token);
        Box::pin(async move { identity })
    }
}
