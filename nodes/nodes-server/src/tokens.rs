//! Who a bearer token belongs to, while the objects that it is bound to live; and which certificates are believed.
//!
//! Way in: [`TokenAuthenticator`], [`claims_of`].

use std::{collections::BTreeSet, sync::Arc};

use actors_core::Wall;
use actors_object::{Value, json};
use actors_runtime::Clock;
use nodes_client::{Authenticator, IssuerFacts, Later};
use nodes_door::{Identity, bootstrap_identity, token_identity};
use nodes_pki::{Pki, TokenError, TokenKey};
use store_catalog::Snapshot;
use tokio::sync::watch;

use crate::Gate;

/// Believes the tokens that this cluster signed, those whose Secrets it keeps, and certificates that are not revoked.
pub(crate) struct TokenAuthenticator {
    pki: Arc<Pki>,
    gate: Gate,
    issuer: String,
    /// The serial numbers of certificates that are worth nothing any more.
    revoked: watch::Receiver<BTreeSet<String>>,
}

/// The claims of a token that this cluster signed, that is valid now and meant for one of `audiences`.
pub(crate) fn claims_of(pki: &Pki, token: &str, audiences: &[String]) -> Result<Value, TokenError> {
    let claims = pki.tokens.verify(token, audiences, Clock.now().wall)?;
    let claims = serde_json::to_vec(&claims).map_err(|_| TokenError::Malformed)?;
    let parsed = json::parse(&claims, json::Limits::default());
    parsed.map(|parsed| parsed.value).map_err(|_| TokenError::Malformed)
}

/// Whether the bearer has had a newer token for long. Spec: KEP-1205, the claim `warnafter`.
fn is_stale(claims: &Value, now: Wall) -> bool {
    claims.i64_at(&["kubernetes.io", "warnafter"]).is_some_and(|after| after < now.as_secs())
}

impl TokenAuthenticator {
    /// An authenticator for tokens that are meant for the API itself.
    pub(crate) fn new(
        pki: Arc<Pki>,
        gate: Gate,
        issuer: String,
        revoked: watch::Receiver<BTreeSet<String>>,
    ) -> Self {
        Self { pki, gate, issuer, revoked }
    }

    async fn identity(&self, token: &str) -> Option<Identity> {
        let signed = token.matches('.').count() == 2;
        if !signed {
            let now = Clock.now().wall;
            return self.look(|snapshot| bootstrap_identity(token, snapshot, now)).await;
        }
        let claims = claims_of(&self.pki, token, std::slice::from_ref(&self.issuer));
        // The client learns only that it is not known.
        let claims = claims.inspect_err(|why| tracing::info!(%why, "a token is refused")).ok()?;
        let identity = self.look(|snapshot| token_identity(&claims, snapshot)).await;
        if identity.is_none() {
            let subject = claims.str_at(&["sub"]);
            tracing::info!(subject, "a token outlived what it is bound to");
        } else if is_stale(&claims, Clock.now().wall) {
            // Often its program reads the file once and never again.
            let subject = claims.str_at(&["sub"]);
            tracing::debug!(subject, "a token is used after it should have been renewed");
        }
        identity
    }

    /// Looks once more where what is looked for may be younger than what this replica shows.
    async fn look(&self, find: impl Fn(&Snapshot) -> Option<Identity>) -> Option<Identity> {
        let known = || find(&self.gate.store().snapshot());
        match known() {
            None if self.gate.may_be_behind() && self.gate.confirm_fresh().await.is_ok() => known(),
            identity => identity,
        }
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate<'a>(&'a self, token: &'a str) -> Later<'a, Option<Identity>> {
        Box::pin(self.identity(token))
    }

    fn revoked(&self) -> watch::Receiver<BTreeSet<String>> {
        self.revoked.clone()
    }

    fn issuer(&self) -> Option<IssuerFacts> {
        let keys = self.pki.tokens.key_set();
        let algorithms = vec![TokenKey::ALGORITHM.to_owned()];
        Some(IssuerFacts { issuer: self.issuer.clone(), keys, algorithms })
    }
}
