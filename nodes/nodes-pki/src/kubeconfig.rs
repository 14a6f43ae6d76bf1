//! A kubeconfig: where the API is, whom to trust, and who the caller is.
//!
//! Way in: [`Kubeconfig::to_json`].  Spec: Kubernetes documentation, "Organizing Cluster Access Using kubeconfig
//! Files". Written as JSON, which is YAML, with every certificate embedded.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::Leaf;

/// One cluster, one user, one context, all of one name.
pub struct Kubeconfig<'a> {
    /// The cluster's name; the context and the user have it too.
    pub name: &'a str,
    /// The API's address: `https://127.0.0.1:6443`.
    pub server: &'a str,
    /// The authority's certificate, PEM.
    pub authority_pem: &'a str,
    /// The caller's certificate and key.
    pub client: &'a Leaf,
}

impl Kubeconfig<'_> {
    /// The kubeconfig of this cluster alone.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut config = json!({"apiVersion": "v1", "kind": "Config", "preferences": {}});
        self.merge_into(&mut config);
        config
    }

    /// Adds or replaces this cluster in an existing kubeconfig and makes it the current one.
    pub fn merge_into(&self, config: &mut Value) {
        let cluster = json!({"server": self.server, "certificate-authority-data": BASE64.encode(self.authority_pem)});
        let user = json!({
            "client-certificate-data": BASE64.encode(&self.client.certificate_pem),
            "client-key-data": BASE64.encode(&self.client.key_pem),
        });
        let context = json!({"cluster": self.name, "user": self.name});
        put(config, "clusters", json!({"name": self.name, "cluster": cluster}));
        put(config, "users", json!({"name": self.name, "user": user}));
        put(config, "contexts", json!({"name": self.name, "context": context}));
        config["current-context"] = json!(self.name);
    }

    /// Removes the cluster of this name and authority from a kubeconfig; says whether it was there. Another cluster that
    /// has taken the name stays.
    pub fn remove_from(config: &mut Value, name: &str, authority_pem: &str) -> bool {
        let authority = BASE64.encode(authority_pem);
        let mut clusters = config["clusters"].as_array().into_iter().flatten();
        let is_it = |entry: &Value| {
            entry["name"] == name
                && entry["cluster"]["certificate-authority-data"] == authority.as_str()
        };
        if !clusters.any(is_it) {
            return false;
        }
        let mut removed = false;
        for list in ["clusters", "users", "contexts"] {
            if let Some(entries) = config[list].as_array_mut() {
                let before = entries.len();
                entries.retain(|entry| entry["name"] != name);
                removed |= entries.len() < before;
            }
        }
        if config["current-context"] == name {
            config["current-context"] = json!("");
        }
        removed
    }
}

fn put(config: &mut Value, list: &str, entry: Value) {
    if !config[list].is_array() {
        config[list] = json!([]);
    }
    if let Some(entries) = config[list].as_array_mut() {
        entries.retain(|old| old["name"] != entry["name"]);
        entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_replaces_its_own_entry_and_keeps_the_others() {
        let leaf = Leaf { certificate_pem: "C".into(), key_pem: "K".into() };
        let of =
            |server| Kubeconfig { name: "starling", server, authority_pem: "A", client: &leaf };
        let mut config = json!({"clusters": [{"name": "other"}], "current-context": "other"});
        of("https://a").merge_into(&mut config);
        of("https://b").merge_into(&mut config);
        let servers: Vec<_> = config["clusters"].as_array().into_iter().flatten().collect();
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[1]["cluster"]["server"], "https://b");
        assert_eq!(config["current-context"], "starling");
        assert!(!Kubeconfig::remove_from(&mut config, "starling", "another cluster's"));
        assert_eq!(config["clusters"].as_array().map(Vec::len), Some(2));
        assert!(Kubeconfig::remove_from(&mut config, "starling", "A"));
        assert_eq!(config["clusters"], json!([{"name": "other"}]));
        assert_eq!(config["current-context"], "");
        assert!(!Kubeconfig::remove_from(&mut config, "starling", "A"));
    }
}
