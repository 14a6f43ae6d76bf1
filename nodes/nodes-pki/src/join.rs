//! What a machine that joins says and is told, over `POST /starling/v1/join`.
//!
//! Way in: [`JoinRequest`], [`JoinAnswer::store`].  Never: a private key of a node; those stay where they were made.
//! Time and order: the joiner reads `GET /starling/v1/ca` without trusting anybody, compares its hash with the one it
//! was told ([`crate::authority_hash`]), makes a [`crate::NodeKey`], and from then on
//! speaks TLS with that authority only.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::{
    NodeKeys, NodeRole, Pki, PkiError,
    files::{make_folder, write_secret},
    node::is_endpoint,
};

/// What a joiner says. JSON; names in camel case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinRequest {
    /// `ID.SECRET`.
    pub token: String,
    /// What it will be.
    pub role: NodeRole,
    /// The node's name: a DNS name.
    pub node: String,
    /// The certificate signing request, PEM.
    pub csr: String,
    /// Where other machines reach its mesh: `10.32.0.12:7443`.
    pub mesh_address: String,
    /// Where clients reach its API, if it will be a server: `10.32.0.12:6443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_address: Option<String>,
    /// The site: `default` unless configured.
    #[serde(default = "default_site")]
    pub site: String,
    /// The cluster's uid, if the joiner knows which one it means: a machine that joined one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The program's version.
    #[serde(default)]
    pub version: String,
}

/// What a joiner is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    /// The cluster.
    pub cluster: ClusterFacts,
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The node's certificate, PEM.
    pub certificate: String,
    /// The addresses of this node's pods.
    pub node_range: String,
    /// The member of the store's group that a server is; it is a learner until it has caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<u64>,
    /// Who is there already: where to begin on the mesh.
    pub peers: Vec<JoinPeer>,
    /// For servers: what all servers share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<SharedKeys>,
}

/// What all machines of a cluster know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFacts {
    /// 32 hexadecimal digits.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The Services' addresses.
    pub service_cidr: String,
    /// The pods' addresses, of all nodes.
    pub pod_cidr: String,
}

/// One machine of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinPeer {
    /// The node's name.
    pub node: String,
    /// What it is.
    pub role: NodeRole,
    /// Where it is reached.
    pub mesh_address: String,
    /// Which member of the store's group it is, if it is a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<u64>,
}

/// The secrets that all servers share. They travel once, within TLS, to a joiner that proved its token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedKeys {
    /// The authority's key, PEM.
    pub authority_key: String,
    /// The key that signs service-account tokens: PKCS#8 DER, base64.
    pub service_account_key: String,
    /// The key that seals Secrets, base64.
    pub sealing_key: String,
}

impl std::fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedKeys")
    }
}

fn default_site() -> String {
    "default".to_owned()
}

impl JoinRequest {
    /// What is wrong with the form of the request, in one sentence; whether the token is good is another question.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self) -> Result<(), String> {
        let label = |text: &str, dots: bool| {
            let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let inner = |byte: u8| good(byte) || byte == b'-' || (dots && byte == b'.');
            let ends = [text.bytes().next(), text.bytes().last()];
            text.len() <= 63
                && ends.iter().all(|end| end.is_some_and(good))
                && text.bytes().all(inner)
        };
        if !label(&self.node, true) {
            return Err(format!("{:?} cannot be a node's name", self.node));
        }
        if !label(&self.site, false) {
            return Err(format!("{:?} cannot be a site's name", self.site));
        }
        let of_api = self.api_address.iter();
        let wrong =
            std::iter::once(&self.mesh_address).chain(of_api).find(|text| !is_endpoint(text));
        if let Some(wrong) = wrong {
            return Err(format!("{wrong:?} is no address and port that other machines can reach"));
        }
        match (self.role, &self.api_address) {
            (NodeRole::Server, None) => {
                Err("a server must say where its API is reached".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl JoinAnswer {
    /// Writes what was told beside the key that this machine made, in a folder that [`NodeKeys::open`] and (for
    /// servers) [`Pki::open_or_create`] read.
    ///
    /// # Errors
    /// If a file cannot be written, or a key is damaged.
    pub fn store(&self, folder: &Path, key_pem: &str) -> Result<(), PkiError> {
        make_folder(folder)?;
        if let Some(keys) = &self.keys {
            let decode = |name: &str, text: &str| {
                let path = folder.join(name);
                BASE64.decode(text).map_err(|_| PkiError::Damaged { path })
            };
            write_secret(&folder.join("ca.key"), keys.authority_key.as_bytes())?;
            for (name, text) in [
                ("service-account.der", &keys.service_account_key),
                ("sealing.key", &keys.sealing_key),
            ] {
                write_secret(&folder.join(name), &decode(name, text)?)?;
            }
        }
        let keys = NodeKeys {
            authority_pem: self.authority.clone(),
            certificate_pem: self.certificate.clone(),
            key_pem: key_pem.to_owned(),
        };
        // The authority's certificate is written last: where it is, everything is.
        keys.store(folder)
    }
}

impl Pki {
    /// What a server that joins must have of this one.
    #[must_use]
    pub fn shared_keys(&self) -> SharedKeys {
        SharedKeys {
            authority_key: self.authority.key_pem(),
            service_account_key: BASE64.encode(&self.token_key_der),
            sealing_key: BASE64.encode(self.sealing_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use actors_core::{Rng, Wall};

    use super::*;
    use crate::NodeKey;

    const NOW: Wall = Wall(1_800_000_000 * 1_000_000_000);

    fn request() -> JoinRequest {
        JoinRequest {
            token: "abcdef.0123456789abcdef".to_owned(),
            role: NodeRole::Server,
            node: "server-2".to_owned(),
            csr: String::new(),
            mesh_address: "10.32.0.12:7443".to_owned(),
            api_address: Some("10.32.0.12:6443".to_owned()),
            site: "default".to_owned(),
            cluster: None,
            version: String::new(),
        }
    }

    #[test]
    fn a_server_that_joined_opens_the_same_keys() {
        let place = tempfile::tempdir().expect("a folder");
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        let open = |folder: &Path, seed| {
            Pki::open_or_create(folder, &["n".to_owned()], NOW, &mut Rng::from_number(seed))
        };
        let first = open(&one, 1).expect("made");
        let made = NodeKey::create("server-2").expect("a key");
        let subject = crate::NodeSubject {
            cluster: "0".repeat(32),
            site: "default".to_owned(),
            role: NodeRole::Server,
            node: "server-2".to_owned(),
        };
        let certificate = first.authority.sign_node(&made.csr_pem, &subject, NOW).expect("signed");
        let answer = JoinAnswer {
            cluster: ClusterFacts {
                uid: "0".repeat(32),
                name: "demo".to_owned(),
                service_cidr: "10.160.0.0/16".to_owned(),
                pod_cidr: "10.96.0.0/16".to_owned(),
            },
            authority: first.authority.certificate_pem().to_owned(),
            certificate,
            node_range: "10.96.1.0/24".to_owned(),
            member: Some(2),
            peers: Vec::new(),
            keys: Some(first.shared_keys()),
        };
        let text = serde_json::to_string(&answer).expect("JSON");
        let read: JoinAnswer = serde_json::from_str(&text).expect("the same");
        assert_eq!(read, answer);
        read.store(&two, &made.key_pem).expect("stored");
        let second = open(&two, 2).expect("read");
        assert_eq!(second.authority.certificate_pem(), first.authority.certificate_pem());
        assert_eq!(second.sealing_key, first.sealing_key);
        let token = first.tokens.sign(
            br#"{"iss":"i","sub":"s","aud":["a"],"exp":9,"iat":1,"nbf":1,"kubernetes.io":{}}"#,
        );
        let verified =
            second.tokens.verify(&token.expect("signed"), &["a".to_owned()], Wall(2_000_000_000));
        assert!(verified.is_ok());
        assert_eq!(NodeKeys::open(&two).expect("read").key_pem, made.key_pem);
    }

    #[test]
    fn a_request_of_wrong_form_is_refused_in_one_sentence() {
        assert_eq!(request().check(), Ok(()));
        let check = |change: fn(&mut JoinRequest), said: &str| {
            let mut wrong = request();
            change(&mut wrong);
            assert_eq!(wrong.check(), Err(said.to_owned()));
        };
        check(|wrong| wrong.node = "A b".to_owned(), "\"A b\" cannot be a node's name");
        check(|wrong| wrong.node = "a/b".to_owned(), "\"a/b\" cannot be a node's name");
        check(|wrong| wrong.site = String::new(), "\"\" cannot be a site's name");
        check(
            |wrong| wrong.mesh_address = "0.0.0.0:7443".to_owned(),
            "\"0.0.0.0:7443\" is no address and port that other machines can reach",
        );
        check(|wrong| wrong.api_address = None, "a server must say where its API is reached");
    }
}
