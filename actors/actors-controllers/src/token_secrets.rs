//! Tokens in Secrets, as they were before tokens were bound to pods: filled in, and gone with their account.
//!
//! Way in: [`TokenSecretController`].  Writes: `data` and the annotation of the account's uid of Secrets of the type
//! `kubernetes.io/service-account-token`; deletes those whose account is gone or another one.  Never: a token that is
//! logged; plans do not show what is in a Secret.
//! Spec: Kubernetes documentation, "Managing Service Accounts", "Token controller".

use std::{fmt, sync::Arc};

use actors_controller::{Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{Map, Object, Value, value};

use crate::kinds::{SECRET, SERVICE_ACCOUNT};

/// The type of the Secrets.
const TYPE: &str = "kubernetes.io/service-account-token";
/// Whose token it is: the account's name, and its uid.
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

/// The last second that RFC 3339 can tell: these tokens have no end but that of their Secret.
const NEVER: i64 = 253_402_300_799;

/// Signs tokens: the claims' token in base64, `None` if it cannot be signed now.
pub type SignToken = dyn Fn(&Value) -> Option<String> + Send + Sync;

/// Fills in Secrets that hold an account's token.
#[derive(Clone)]
pub struct TokenSecretController {
    /// Who signs tokens: their `iss`, and their audience.
    pub issuer: String,
    /// The certificate of the cluster's API in base64.
    pub authority: String,
    /// Signs.
    pub sign: Arc<SignToken>,
}

impl fmt::Debug for TokenSecretController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecretController")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Controller for TokenSecretController {
    fn name(&self) -> &'static str {
        "service-account-token"
    }

    fn primary(&self) -> Primary {
        Primary::Of(SECRET)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&SERVICE_ACCOUNT, |account, world| {
            let of_account = |secret: &&Arc<Object>| {
                is_token(secret) && secret.annotation(NAME) == Some(account.name())
            };
            let secrets = world.list(&SECRET, Some(account.namespace()));
            secrets.iter().filter(of_account).map(|secret| Key::of(secret)).collect()
        })
    }

    fn access(&self) -> Access {
        Access::reads(&[&SECRET, &SERVICE_ACCOUNT])
            .writes(&SECRET, WriteVerb::Patch, &["data", "metadata.annotations"])
            .writes(&SECRET, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, secret: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let Some(name) = secret.annotation(NAME).filter(|_| is_token(secret)) else { return plan };
        if secret.is_terminating() {
            return plan;
        }
        let account = world.get(&SERVICE_ACCOUNT, secret.namespace(), name);
        let claimed = secret.annotation(UID);
        let account = account.filter(|one| claimed.is_none_or(|uid| uid == one.uid()));
        let Some(account) = account else {
            plan.delete(secret);
            return plan;
        };
        let mut data = Map::default();
        let lacks = |key: &str| secret.at("data").at(key).as_str().is_none_or(str::is_empty);
        if secret.at("data").at("ca.crt").as_str() != Some(&self.authority) {
            data.insert("ca.crt", self.authority.as_str());
        }
        if lacks("namespace") {
            data.insert("namespace", base64(secret.namespace()));
        }
        if lacks("token") {
            match (self.sign)(&self.claims(secret, &account, now)) {
                Some(token) => {
                    data.insert("token", token);
                }
                None => plan.requeue(std::time::Duration::from_secs(10)),
            }
        }
        if data.is_empty() && claimed.is_some() {
            return plan;
        }
        let mut patch = value!({ "metadata": { "annotations": {} } });
        patch.set_path(&["metadata", "annotations", UID], account.uid());
        patch.set_path(&["data"], data);
        plan.patch_exactly(secret, patch);
        plan
    }
}

impl TokenSecretController {
    fn claims(&self, secret: &Object, account: &Object, now: Now) -> Value {
        let now = now.wall.as_secs();
        let (namespace, name) = (account.namespace(), account.name());
        value!({
            "iss": self.issuer.as_str(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "aud": [self.issuer.as_str()],
            "exp": NEVER,
            "iat": now,
            "nbf": now,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": { "name": name, "uid": account.uid() },
                "secret": { "name": secret.name(), "uid": secret.uid() },
            },
        })
    }
}

fn is_token(secret: &Object) -> bool {
    secret.str_at(&["type"]) == Some(TYPE)
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use actors_controller::testing::Scene;

    use super::*;

    fn controller() -> TokenSecretController {
        let sign = |claims: &Value| {
            let bound = claims.path(&["kubernetes.io", "secret", "name"])?;
            Some(base64(&format!("signed for {}", bound.as_str()?)))
        };
        TokenSecretController {
            issuer: "https://api".to_owned(),
            authority: base64("PEM"),
            sign: Arc::new(sign),
        }
    }

    fn scene() -> Scene {
        let mut secret = Object(value!({
            "apiVersion": "v1", "kind": "Secret", "type": TYPE,
            "metadata": { "name": "s", "namespace": "d" },
        }));
        secret.set_annotation(NAME, "robot");
        let account = value!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "robot", "namespace": "d" },
        });
        Scene::new().with(account).with(secret)
    }

    #[test]
    fn a_secret_gets_its_token_and_no_plan_shows_it() {
        let mut scene = scene();
        scene.check(&controller(), "d/s", "patch Secret/s\n");
        scene.settle(&[&controller()]).expect("rest");
        let secret = scene.get(&SECRET, "d/s").expect("the Secret");
        let data = |key: &str| secret.at("data").at(key).as_str().map(str::to_owned);
        assert_eq!(data("token"), Some(base64("signed for s")));
        assert_eq!(data("namespace"), Some(base64("d")));
        assert_eq!(data("ca.crt"), Some(base64("PEM")));
        let account = scene.get(&SERVICE_ACCOUNT, "d/robot").expect("the account");
        assert_eq!(secret.annotation(UID), Some(account.uid()));
        scene.check(&controller(), "d/s", "");
    }

    #[test]
    fn it_goes_with_its_account() {
        let mut scene = scene();
        scene.settle(&[&controller()]).expect("rest");
        scene.world.remove(&Key::new(&SERVICE_ACCOUNT, "d", "robot"));
        scene.check(&controller(), "d/s", "delete Secret/s\n");
        let mut plain = Object(value!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": "p", "namespace": "d" },
        }));
        plain.set_annotation(NAME, "robot");
        scene.with(plain).check(&controller(), "d/p", "");
    }
}
