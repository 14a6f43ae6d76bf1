//! The forwarder: connections go to servers that are ready, and leave those that no longer are.

#![expect(clippy::expect_used, reason = "a test stops where its servers cannot be made")]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::Wall;
use nodes_machines::{
    Plan,
    forwarder::{ForwarderConfig, serve},
};
use nodes_pki::{Authority, Leaf, LeafRequest, Usage};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

/// Certificates are valid from shortly before this: the tests' own time is the machine's.
fn now() -> Wall {
    let since = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).expect("a clock");
    Wall(Duration::from(since).as_nanos().try_into().unwrap_or_default())
}

/// A server that says its name to everybody, and whether it is ready to who asks.
struct Server {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
}

async fn server(name: &'static str, leaf: &Leaf, tasks: &mut JoinSet<()>) -> Server {
    let chain = CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("a key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let ready = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&ready);
    tasks.spawn(async move {
        let mut visits = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, told) = (acceptor.clone(), Arc::clone(&told));
            visits.spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else { return };
                let mut buffer = [0; 1_024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let is_probe = buffer[..length].starts_with(b"GET /readyz ");
                    let code = match is_probe && !told.load(Ordering::Relaxed) {
                        true => "503 Service Unavailable",
                        false => "200 OK",
                    };
                    let answer =
                        format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Server { address, ready }
}

async fn connect(to: SocketAddr, authority: &Authority) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes());
    roots.add(root.expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(to).await?;
    let name = ServerName::IpAddress(to.ip().into());
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Which server answers on this connection; `None` if it was cut.
async fn who(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.ok()?;
    let mut buffer = [0; 1_024];
    let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    text.rsplit("\r\n").next().map(str::to_owned)
}

#[tokio::test]
async fn clients_are_led_away_from_a_server_that_is_not_ready() {
    let authority = Authority::create("test-ca", now()).expect("an authority");
    let names = ["127.0.0.1".to_owned()];
    let life = Duration::from_secs(3_600);
    let wanted = LeafRequest {
        common_name: "kube-apiserver",
        organization: None,
        names: &names,
        usage: Usage::Server,
        life,
    };
    let leaf = authority.issue(&wanted, now()).expect("a leaf");
    let mut tasks = JoinSet::new();
    let one = server("one", &leaf, &mut tasks).await;
    let two = server("two", &leaf, &mut tasks).await;
    two.ready.store(false, Ordering::Relaxed);
    let config = ForwarderConfig {
        authority_pem: authority.certificate_pem().as_bytes().to_vec(),
        servers: vec![("one".into(), one.address), ("two".into(), two.address)],
        plan: Plan::of("test", 99, (Path::new("/"), Path::new("/")), &[]),
        services: (Ipv4Addr::UNSPECIFIED, 0),
        pods: |_| None,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let front = listener.local_addr().expect("an address");
    tasks.spawn(async move { drop(serve(listener, config).await) });

    let mut client = connect(front, &authority).await.expect("led to a server");
    assert_eq!(who(&mut client).await.as_deref(), Some("one"), "the only one that is ready");
    one.ready.store(false, Ordering::Relaxed);
    two.ready.store(true, Ordering::Relaxed);
    let mut byte = [0];
    let cut = timeout(Duration::from_secs(30), client.read(&mut byte)).await.expect("cut off");
    assert!(!matches!(cut, Ok(1..)), "nothing comes through a connection that is cut");
    let mut client = connect(front, &authority).await.expect("led to another");
    assert_eq!(who(&mut client).await.as_deref(), Some("two"));
}
