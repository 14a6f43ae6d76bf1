//! Speaks to a cluster's API as its operator, over TLS with the certificate that the cluster made.
//!
//! Way in: [`Client::of`].  Never: a retry of a write.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use ureq::{
    Agent,
    http::{Response, StatusCode},
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

use crate::{ClusterRecord, Failure, operator::Operator};

/// A connection to one cluster.
pub(crate) struct Client {
    agent: Agent,
    server: String,
    name: String,
}

type Body = Response<ureq::Body>;

impl Client {
    /// The client of the operator's certificate, where the kubeconfig points to.
    pub(crate) fn of(record: &ClusterRecord) -> Result<Self, Failure> {
        Self::at(record, SocketAddr::from((Ipv4Addr::LOCALHOST, record.api_port)))
    }

    /// The same, for one server.
    pub(crate) fn at(record: &ClusterRecord, address: SocketAddr) -> Result<Self, Failure> {
        let bad = |error: ureq::Error| {
            Failure::new(format!("the keys of this cluster are damaged: {error}"))
        };
        // A certificate and a key that are no pair would panic below.
        let Operator { authority_pem, leaf } = Operator::of(record)?;
        let authority = Certificate::from_pem(authority_pem.as_bytes()).map_err(bad)?;
        let chain = Certificate::from_pem(leaf.certificate_pem.as_bytes()).map_err(bad)?;
        let key = PrivateKey::from_pem(leaf.key_pem.as_bytes()).map_err(bad)?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::from(vec![authority]))
            .client_cert(Some(ClientCert::new_with_certs(&[chain], key)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(3)))
            .user_agent("starling")
            .build();
        let server = format!("https://{address}");
        Ok(Self { agent: Agent::new_with_config(config), server, name: record.name.clone() })
    }

    /// Which server it speaks to: `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        self.server.trim_start_matches("https://").to_owned()
    }

    /// One object or list.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.agent.get(self.url(path)).header("accept", "application/json").call();
        self.json(answer)
    }

    /// A list as the server prints it.
    pub(crate) fn table(&self, path: &str) -> Result<Value, Failure> {
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        self.json(self.agent.get(self.url(path)).header("accept", accept).call())
    }

    /// Text as it is.
    pub(crate) fn text(&self, path: &str) -> Result<String, Failure> {
        let mut answer = self.checked(self.agent.get(self.url(path)).call())?;
        answer.body_mut().read_to_string().map_err(|error| self.broken(&error))
    }

    /// A stream of bytes that may never end.
    pub(crate) fn stream(&self, path: &str) -> Result<impl std::io::Read + 'static, Failure> {
        let answer = self.checked(self.agent.get(self.url(path)).call())?;
        Ok(answer.into_body().into_reader())
    }

    /// Creates, or calls a verb.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer =
            self.agent.post(self.url(path)).content_type("application/json").send(body.to_string());
        self.json(answer)
    }

    /// Changes by a merge patch (RFC 7386).
    pub(crate) fn merge(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let media = "application/merge-patch+json";
        self.json(self.agent.patch(self.url(path)).content_type(media).send(body.to_string()))
    }

    /// Deletes.
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.agent.delete(self.url(path)).call())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn broken(&self, error: &ureq::Error) -> Failure {
        Failure::new(format!("cannot reach {}: {error}", self.server))
            .next(format!("starling status   (or: starling up --name {})", self.name))
            .code(3)
    }

    fn checked(&self, answer: Result<Body, ureq::Error>) -> Result<Body, Failure> {
        let mut answer = answer.map_err(|error| self.broken(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let message = body["message"].as_str().map(str::to_owned).unwrap_or(text);
        let code = match status {
            StatusCode::NOT_FOUND => 4,
            StatusCode::CONFLICT => 5,
            _ => 1,
        };
        Err(Failure::new(message.trim().to_owned()).code(code))
    }

    fn json(&self, answer: Result<Body, ureq::Error>) -> Result<Value, Failure> {
        let text = self.checked(answer)?.body_mut().with_config().limit(256 << 20).read_to_string();
        let text = text.map_err(|error| self.broken(&error))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("the answer is no JSON: {error}")))
    }
}
