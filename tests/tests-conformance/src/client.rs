//! The stock client that asks the servers: kube's, configured by a kubeconfig as everybody's is.
//!
//! Way in: [`clients`], one for each server; [`wait`].  Owns: the runtime in which their connections live.

use std::{future::Future, sync::OnceLock};

use kube::{Client, Config, client::ClientBuilder, config::Kubeconfig};
use nodes_pki::Leaf;
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::door::PATIENCE;

/// Where connections go on while nobody waits for them; the servers have a runtime of their own.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// What comes of it, within [`PATIENCE`].
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let ended = runtime().block_on(async { timeout(PATIENCE, future).await });
    ended.expect("an answer in time")
}

/// A kubeconfig for one server, of whoever holds this certificate, or of somebody without any.
pub(crate) fn kubeconfig(server: &str, authority_pem: &str, own: Option<&Leaf>) -> Value {
    let nobody = Leaf { certificate_pem: String::new(), key_pem: String::new() };
    let client = own.unwrap_or(&nobody);
    let config = nodes_pki::Kubeconfig { name: "conformance", server, authority_pem, client };
    let mut config = config.to_json();
    if own.is_none() {
        config["users"][0]["user"] = json!({});
    }
    config
}

/// A client of each of these servers, for one caller.
pub(crate) fn clients(urls: &[String], authority_pem: &str, own: Option<&Leaf>) -> Vec<Client> {
    let _guard = runtime().enter();
    let client = |url: &String| {
        let config = kubeconfig(url, authority_pem, own);
        let config: Kubeconfig = serde_json::from_value(config).expect("a kubeconfig");
        let mut config = Config::try_from(config).expect("a kubeconfig");
        // The servers are in this process, whatever is between it and the rest of the world.
        config.proxy_url = None;
        // Whether a request is sent again, and to whom, is the door's to say: tests look at codes.
        config.default_retry = false;
        ClientBuilder::try_from(config).expect("keys").build()
    };
    urls.iter().map(client).collect()
}
