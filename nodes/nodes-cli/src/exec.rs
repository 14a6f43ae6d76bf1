//! `starling exec`: runs a command in a container and prints what it says.
//!
//! Way in: [`run`].  Spec: the WebSocket protocol `v5.channel.k8s.io`: the first byte of each binary message is its
//! channel (1 stdout, 2 stderr, 3 the final Status). Standard input and terminals are kubectl's.

use std::{io::Write as _, net::TcpStream, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tungstenite::{
    ClientHandshake, ClientRequestBuilder, Error, HandshakeError, Message, client::client,
    http::Uri,
};

use crate::{
    Arguments, Caller, ClusterRecord, Failure, actors::escape, arguments::ExecOptions,
    operator::Operator, up::known,
};

type Tls = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn run(
    arguments: &Arguments,
    options: &ExecOptions,
    caller: &Caller<'_>,
) -> Result<(), Failure> {
    let record = known(arguments, caller)?;
    let (namespace, pod) = (escape(&options.namespace), escape(&options.pod));
    let mut url = format!(
        "wss://127.0.0.1:{}/api/v1/namespaces/{namespace}/pods/{pod}/exec?stdout=true&stderr=true",
        record.api_port
    );
    for word in &options.command {
        url = format!("{url}&command={}", escape(word));
    }
    if let Some(container) = &options.container {
        url = format!("{url}&container={}", escape(container));
    }
    let uri: Uri = url.parse().map_err(|_| Failure::usage(format!("cannot ask for {url}")))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("v5.channel.k8s.io");
    let stream = connect(&record)?;
    let (mut socket, _) = client(request, stream).map_err(|error| refusal(&error))?;
    loop {
        match socket.read().map_err(|error| Failure::of(&error))? {
            Message::Binary(bytes) => match bytes.split_first() {
                Some((1, text)) => {
                    std::io::stdout().write_all(text).map_err(|error| Failure::of(&error))?
                }
                Some((2, text)) => {
                    std::io::stderr().write_all(text).map_err(|error| Failure::of(&error))?
                }
                Some((3, status)) => return verdict(status),
                _ => {}
            },
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
}

/// What the server says against it, in its own words where it sent some.
fn refusal(error: &HandshakeError<ClientHandshake<Tls>>) -> Failure {
    let HandshakeError::Failure(error) = error else {
        return Failure::new("the server did not answer");
    };
    let told = match error {
        Error::Http(response) => response.body().as_deref(),
        _ => None,
    };
    let status: Value = serde_json::from_slice(told.unwrap_or_default()).unwrap_or(Value::Null);
    match status["message"].as_str() {
        Some(message) => Failure::new(message.to_owned()),
        None => Failure::new(format!("the server refused to run the command: {error}")),
    }
}

/// The command's end as the process's: its own exit code, where there is one.
fn verdict(status: &[u8]) -> Result<(), Failure> {
    let status: Value = serde_json::from_slice(status).unwrap_or(Value::Null);
    if status["status"] == "Success" {
        return Ok(());
    }
    let causes = status["details"]["causes"].as_array().cloned().unwrap_or_default();
    let code = causes.iter().find(|cause| cause["reason"] == "ExitCode");
    let code = code
        .and_then(|cause| cause["message"].as_str())
        .and_then(|code| code.parse().ok())
        .unwrap_or(1);
    Err(Failure::new(status["message"].as_str().unwrap_or("the command failed").to_owned())
        .code(code))
}

fn connect(record: &ClusterRecord) -> Result<Tls, Failure> {
    let bad =
        |what: &str, why: &dyn std::fmt::Display| Failure::new(format!("cannot use {what}: {why}"));
    let Operator { authority_pem, leaf } = Operator::of(record)?;
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority_pem.as_bytes())
        .map_err(|error| bad("the authority", &error))?;
    roots.add(authority).map_err(|error| bad("the authority", &error))?;
    let chain = CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes());
    let chain = chain.map_err(|error| bad("the operator's certificate", &error))?;
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes());
    let key = key.map_err(|error| bad("the operator's key", &error))?;
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_root_certificates(roots).with_client_auth_cert(vec![chain], key)
            })
            .map_err(|error| bad("this cluster's keys", &error))?;
    let server = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
    let connection =
        ClientConnection::new(Arc::new(config), server).map_err(|error| bad("TLS", &error))?;
    let socket = TcpStream::connect(("127.0.0.1", record.api_port)).map_err(|error| {
        Failure::new(format!("cannot reach 127.0.0.1:{}: {error}", record.api_port))
            .next("starling status")
            .code(3)
    })?;
    Ok(StreamOwned::new(connection, socket))
}
