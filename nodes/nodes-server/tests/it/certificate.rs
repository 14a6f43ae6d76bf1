//! The API's certificate is renewed while it is shown, and nobody who is connected notices.

use std::{fs, path::Path, time::Duration};

use actors_core::Rng;
use actors_runtime::Clock;
use nodes_pki::{Leaf, LeafRequest, Pki, Usage};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::interval;

use crate::{
    edge::{Connection, Edge},
    scene::within,
};

/// A certificate is renewed when it has no more left than this.
const RENEWED_AT: Duration = Duration::from_secs(120 * 86_400);

/// What is left beyond that when the server reads its keys, which is the first thing that it does.
const MARGIN: Duration = Duration::from_secs(10);

/// The certificate that a connection was shown.
fn shown(connection: &Connection) -> CertificateDer<'static> {
    let chain = connection.stream.get_ref().1.peer_certificates();
    chain.and_then(|chain| chain.first()).expect("a certificate").clone().into_owned()
}

fn stored(folder: &Path) -> CertificateDer<'static> {
    let pem = fs::read(folder.join("kube-apiserver.crt")).expect("a file");
    CertificateDer::from_pem_slice(&pem).expect("a certificate")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_the_api_is_renewed_while_it_is_shown() {
    let mut old = None;
    let edge = Edge::start_with(|config| {
        let (folder, names) = (config.data_dir.join("pki"), config.api_names());
        let (now, mut rng) = (Clock.now().wall, Rng::from_number(1));
        let pki = Pki::open_or_create(&folder, &names, now, &mut rng).unwrap();
        let request = LeafRequest {
            common_name: "kube-apiserver",
            organization: None,
            names: &names,
            usage: Usage::Server,
            life: RENEWED_AT + MARGIN,
        };
        let leaf: Leaf = pki.authority.issue(&request, Clock.now().wall).unwrap();
        leaf.store(&folder, "kube-apiserver").unwrap();
        let begun_with = stored(&folder);
        old = Some((folder.clone(), begun_with.clone()));
        move || assert_eq!(stored(&folder), begun_with, "it was good enough for the start")
    })
    .await;
    let (folder, old) = old.expect("prepared");
    let mut first = edge.dial_anew().await;
    // A connection that never asks is not kept for so long.
    assert_eq!(first.get("/version", "*/*").await.code, 200);
    let mut looks = interval(Duration::from_millis(50));
    let mut renewed = within("another certificate", async {
        loop {
            let connection = edge.dial_anew().await;
            if shown(&connection) != old {
                break connection;
            }
            looks.tick().await;
        }
    })
    .await;
    assert_eq!(shown(&renewed), stored(&folder), "the next start begins with it");
    for connection in [&mut first, &mut renewed] {
        assert_eq!(connection.get("/version", "*/*").await.code, 200);
    }
    edge.stop().await;
}
