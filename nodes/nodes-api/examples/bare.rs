//! A bare actix-web handler that always answers the same bytes: what the API's reads are compared with.
//!
//! Way in: `bare FOLDER FILE`: the keys of a cluster, and the bytes. Prints its port and serves until it is killed.
//! Listens, speaks TLS and asks for client certificates as the API does, and knows nothing else.

use std::{fs, io::Write as _, net::TcpListener, path::Path, sync::Arc};

use actix_web::{App, HttpResponse, HttpServer, web};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

type Failure = Box<dyn std::error::Error>;

#[actix_web::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, file] = arguments.as_slice() else { return Err("bare FOLDER FILE".into()) };
    let bytes = web::Bytes::from(fs::read(file)?);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let server = HttpServer::new(move || {
        let answer = web::to(|bytes: web::Data<web::Bytes>| async move {
            HttpResponse::Ok().content_type("application/json").body(bytes.get_ref().clone())
        });
        App::new().app_data(web::Data::new(bytes.clone())).default_service(answer)
    });
    Ok(server.workers(2).listen_rustls_0_23(listener, tls(Path::new(folder))?)?.run().await?)
}

fn tls(folder: &Path) -> Result<ServerConfig, Failure> {
    let read = |file: &str| fs::read(folder.join("pki").join(file));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read("ca.crt")?)?)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = read("kube-apiserver.crt")?;
    let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&read("kube-apiserver.key")?)?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        .with_single_cert(chain, key)?)
}
