//! The API of a cluster as its users have it: through the address of its kubeconfig, with the operator's certificate.
//!
//! Way in: [`Api::of`], [`Watch`].  Time and order: what is awaited is dated when its event arrives here.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use ureq::{
    Agent, BodyReader,
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

use super::uptime;

/// The longest that a request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// The longest that a collection is followed, and so that anything is waited for.
const WATCH_WITHIN: Duration = Duration::from_secs(120);

/// A client with connections of its own. Clones share them.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    server: String,
}

impl Api {
    /// The client of the cluster whose data is in `folder`, at `server`: `https://HOST:PORT`.
    pub(crate) fn of(folder: &Path, server: &str) -> Result<Self> {
        let read = |file: &str| {
            let path = folder.join("pki").join(file);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let authority = Certificate::from_pem(&read("ca.crt")?)?;
        let chain = Certificate::from_pem(&read("kubernetes-admin.crt")?)?;
        let key = PrivateKey::from_pem(&read("kubernetes-admin.key")?)?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::from(vec![authority]))
            .client_cert(Some(ClientCert::new_with_certs(&[chain], key)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(Duration::from_secs(3)))
            .user_agent("xtask-bench")
            .build();
        Ok(Self { agent: Agent::new_with_config(config), server: server.to_owned() })
    }

    /// One object or list.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.server));
        let timed = request.config().timeout_global(Some(REQUEST_WITHIN)).build();
        Ok(timed.call()?.body_mut().read_json()?)
    }

    /// Creates an object; any answer but success is an error.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Result<()> {
        let request = self.agent.post(format!("{}{path}", self.server));
        let timed = request.config().timeout_global(Some(REQUEST_WITHIN)).build();
        let mut answer = timed.content_type("application/json").send(object.to_string())?;
        // A connection whose answer was read serves the next request too.
        answer.body_mut().read_to_string()?;
        Ok(())
    }

    /// Follows a collection, which is told as it is first.
    pub(crate) fn watch(&self, path: &str) -> Result<Watch> {
        let request = self.agent.get(format!("{}{path}", self.server)).query("watch", "true");
        let timed = request.config().timeout_global(Some(WATCH_WITHIN)).build();
        let events = BufReader::new(timed.call()?.into_body().into_reader());
        Ok(Watch { events, objects: BTreeMap::new() })
    }
}

/// Objects by their names.
pub(crate) type Objects = BTreeMap<String, Value>;

/// A collection as it changes.
pub(crate) struct Watch {
    events: BufReader<BodyReader<'static>>,
    objects: Objects,
}

impl Watch {
    /// Seconds since boot when the event arrived after which `holds`; at once if it does already.
    pub(crate) fn until(&mut self, holds: impl Fn(&Objects) -> bool) -> Result<f64> {
        while !holds(&self.objects) {
            let mut line = String::new();
            if self.events.read_line(&mut line)? == 0 {
                bail!("the watch ended before what is awaited");
            }
            self.take(serde_json::from_str(&line)?)?;
        }
        uptime()
    }

    fn take(&mut self, mut event: Value) -> Result<()> {
        let object = event["object"].take();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => drop(self.objects.insert(name, object)),
            Some("DELETED") => drop(self.objects.remove(&name)),
            Some("BOOKMARK") => {}
            _ => bail!("the watch ended with {event}{object}"),
        }
        Ok(())
    }

    /// What is there, as far as it has been told.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }
}

/// Whether a condition of an object is True.
pub(crate) fn is(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|one| one["type"] == condition).any(|one| one["status"] == "True")
}
