//! Real namespaces, real TCP and UDP through Service rules. Needs root and `nft`; says so and
//! passes without.
//!
//! The "node" is a network namespace of its own, entered by the test's thread: nothing touches the
//! machine's network.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail, and says why it does not run"
)]

mod machines;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, setns, unshare};
use nodes_network::{
    Applied, BridgeConfig, BridgeNetwork, Cidr, Desired, Endpoint, HostPort, NftCommand,
    PodNetwork as _, Protocol, ProxyConfig, Service, ServicePort, ServiceProxy, Traffic,
};

/// How long anything may take. Far longer than it does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(30);
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Runs `test` on a thread that is a node of its own, if this machine lets us.
fn on_a_node(name: &'static str, test: impl FnOnce(&Node) + Send) {
    let has_nft = Command::new("nft").arg("--version").output().is_ok();
    if !nix::unistd::geteuid().is_root() || !has_nft {
        println!("SKIPPED {name}: needs root and the program nft");
        return;
    }
    thread::scope(|scope| {
        let node = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
            let folder = tempfile::tempdir().expect("a folder");
            test(&Node::new(BridgeConfig {
                index: 7,
                node: "a".into(),
                address: Ipv4Addr::new(10, 42, 0, 1),
                pod_range: "10.42.0.0/24".parse().expect("a range"),
                cluster_range: "10.42.0.0/16".parse().expect("a range"),
                service_range: "10.96.0.0/16".parse().expect("a range"),
                vni: 7,
                address_file: folder.path().join("addresses"),
            }));
        });
        node.join().expect("the test on its node");
    });
}

struct Node {
    network: BridgeNetwork,
    pod_range: Cidr,
}

impl Node {
    fn new(config: BridgeConfig) -> Self {
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip");
        assert!(status.success(), "loopback of the node");
        let pod_range = config.pod_range;
        let network = BridgeNetwork::open(config).expect("a network");
        network.set_up().expect("set up");
        Self { network, pod_range }
    }

    fn pod(&self, name: &str) -> Pod {
        let (netns, stop) = namespace();
        let address = self.network.attach(name, &netns).expect("attached");
        Pod { netns, address, _stop: stop }
    }

    fn proxy(&self) -> ServiceProxy {
        let config = ProxyConfig {
            table: "starling-it".into(),
            pod_range: self.pod_range,
            cluster_range: "10.42.0.0/16".parse().expect("a range"),
            service_range: "10.96.0.0/16".parse().expect("a range"),
            bridge: self.network.bridge_name(),
        };
        ServiceProxy::new(config, Box::new(NftCommand))
    }
}

struct Pod {
    netns: PathBuf,
    address: Ipv4Addr,
    _stop: mpsc::Sender<()>,
}

impl Pod {
    fn endpoint(&self) -> Endpoint {
        Endpoint { address: self.address, port: 8080, local: true }
    }

    /// Serves TCP on 8080: its own address and the client's, once for each connection.
    fn serve(&self) {
        let address = self.address;
        let (tell, told) = mpsc::channel();
        let netns = self.netns.clone();
        thread::Builder::new()
            .spawn(move || {
                enter(&netns);
                let listener = TcpListener::bind((address, 8080)).expect("bound");
                tell.send(()).expect("someone waits");
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a connection");
                    let peer = stream.peer_addr().expect("a peer").ip();
                    // A client that only looks whether it can connect is gone by now.
                    if write!(stream, "{address} {peer}").is_err() {
                        continue;
                    }
                }
            })
            .expect("a thread");
        told.recv().expect("listening");
    }

    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    enter(&self.netns);
                    work()
                })
                .join()
                .expect("work in the pod")
        })
    }
}

/// A namespace of its own, which lives as long as someone is in it: until the sender is dropped.
fn namespace() -> (PathBuf, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    thread::Builder::new()
        .spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
            let path =
                format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid());
            tell.send(path.into()).expect("someone listens");
            stopped.recv().unwrap_or_default();
        })
        .expect("a thread");
    (told.recv().expect("a path"), stop)
}

fn enter(netns: &Path) {
    setns(File::open(netns).expect("a namespace"), CloneFlags::CLONE_NEWNET).expect("entered");
}

/// Who answers, and whom it takes us for.
fn ask(address: Ipv4Addr, port: u16) -> Result<(Ipv4Addr, Ipv4Addr), std::io::ErrorKind> {
    let to = SocketAddr::from((address, port));
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind())?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.kind())?;
    let (own, peer) = text.split_once(' ').expect("two addresses");
    Ok((own.parse().expect("an address"), peer.parse().expect("an address")))
}

fn service(protocol: Protocol, port: u16, endpoints: Vec<Endpoint>) -> Desired {
    let port =
        ServicePort { name: String::new(), protocol, port, node_port: Some(30_080), endpoints };
    let service = Service {
        name: "shop/web".into(),
        cluster_ip: SERVICE,
        external_ips: Vec::new(),
        affinity_s: None,
        internal: Traffic::Cluster,
        external: Traffic::Cluster,
        ports: vec![port],
    };
    Desired { services: vec![service], ..Desired::default() }
}

#[test]
fn pods_reach_each_other_and_services_reach_them_from_everywhere() {
    on_a_node("services", |node| {
        let (one, two) = (node.pod("one"), node.pod("two"));
        one.serve();
        two.serve();
        assert_eq!(
            two.within(|| ask(one.address, 8080)),
            Ok((one.address, two.address)),
            "pod to pod"
        );
        assert_eq!(ask(one.address, 8080).map(|(own, _)| own), Ok(one.address), "node to pod");

        let mut proxy = node.proxy();
        let both = service(Protocol::Tcp, 80, vec![one.endpoint(), two.endpoint()]);
        assert_eq!(proxy.apply(&both).expect("applied"), Applied::Changed);
        assert_eq!(proxy.apply(&both).expect("applied"), Applied::Same);
        let from_node: BTreeSet<_> =
            (0..40).map(|_| ask(SERVICE, 80).expect("an answer").0).collect();
        assert_eq!(from_node, BTreeSet::from([one.address, two.address]), "both take part");
        let from_pod: BTreeSet<_> =
            one.within(|| (0..40).map(|_| ask(SERVICE, 80).expect("an answer")).collect());
        let gateway = node.network.gateway();
        // Itself only under the node's address, else its answer would never come through the node.
        assert_eq!(from_pod, BTreeSet::from([(one.address, gateway), (two.address, one.address)]));
        assert!(ask(gateway, 30_080).is_ok(), "node port from the node");
        assert!(one.within(|| ask(gateway, 30_080)).is_ok(), "node port from a pod");
        proxy.clear().expect("cleared");
        node.network.tear_down().expect("torn down");
    });
}

#[test]
fn a_service_without_endpoints_refuses_at_once_and_comes_back() {
    on_a_node("refusal", |node| {
        let pod = node.pod("one");
        pod.serve();
        let mut proxy = node.proxy();
        proxy.apply(&service(Protocol::Tcp, 80, Vec::new())).expect("applied");
        let refused = Err(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(ask(SERVICE, 80), refused, "from the node");
        assert_eq!(pod.within(|| ask(SERVICE, 80)), refused, "from a pod");
        assert_eq!(pod.within(|| ask(node.network.gateway(), 30_080)), refused, "by the node port");
        proxy.apply(&service(Protocol::Tcp, 80, vec![pod.endpoint()])).expect("applied");
        assert_eq!(ask(SERVICE, 80).map(|(own, _)| own), Ok(pod.address));
        proxy.clear().expect("cleared");
        node.network.tear_down().expect("torn down");
    });
}

#[test]
fn a_udp_client_moves_on_when_its_endpoint_is_gone() {
    on_a_node("udp", |node| {
        let (one, two) = (node.pod("one"), node.pod("two"));
        for pod in [&one, &two] {
            let (netns, address) = (pod.netns.clone(), pod.address);
            let (tell, told) = mpsc::channel();
            thread::Builder::new()
                .spawn(move || {
                    enter(&netns);
                    let socket = UdpSocket::bind((address, 8080)).expect("bound");
                    tell.send(()).expect("someone waits");
                    let mut buffer = [0; 64];
                    while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                        socket.send_to(address.to_string().as_bytes(), peer).expect("sent");
                    }
                })
                .expect("a thread");
            told.recv().expect("listening");
        }
        let client = UdpSocket::bind("0.0.0.0:0").expect("bound");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        client.connect((SERVICE, 53)).expect("connected");
        let asked = || {
            let mut buffer = [0; 64];
            client.send(b"who").expect("sent");
            let length = client.recv(&mut buffer).expect("an answer");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let mut proxy = node.proxy();
        proxy.apply(&service(Protocol::Udp, 53, vec![one.endpoint()])).expect("applied");
        assert_eq!(asked(), one.address.to_string());
        proxy.apply(&service(Protocol::Udp, 53, vec![two.endpoint()])).expect("applied");
        assert_eq!(asked(), two.address.to_string());
        proxy.clear().expect("cleared");
        node.network.tear_down().expect("torn down");
    });
}

#[test]
fn a_port_of_the_node_leads_to_its_pod() {
    on_a_node("hostport", |node| {
        let (pod, other) = (node.pod("one"), node.pod("two"));
        pod.serve();
        let port =
            HostPort { protocol: Protocol::Tcp, host_port: 8088, address: pod.address, port: 8080 };
        let mut proxy = node.proxy();
        proxy.apply(&Desired { host_ports: vec![port], ..Desired::default() }).expect("applied");
        let gateway = node.network.gateway();
        assert_eq!(ask(gateway, 8088).map(|(own, _)| own), Ok(pod.address));
        assert_eq!(other.within(|| ask(gateway, 8088)).map(|(own, _)| own), Ok(pod.address));
        proxy.clear().expect("cleared");
        node.network.tear_down().expect("torn down");
    });
}

#[test]
fn nothing_is_left_when_it_is_torn_down_and_a_restart_keeps_addresses() {
    on_a_node("teardown", |node| {
        let pod = node.pod("one");
        let again = node.network.attach("one", &pod.netns).expect("attached again");
        assert_eq!(again, pod.address);
        let gone = node.pod("two");
        node.network.retain(&BTreeSet::from(["one".to_owned()])).expect("retained");
        assert_eq!(node.network.address_of("two"), None);
        assert_ne!(node.pod("three").address, gone.address, "a freed address is not the next one");
        let mut proxy = node.proxy();
        proxy.apply(&service(Protocol::Tcp, 80, vec![pod.endpoint()])).expect("applied");
        proxy.clear().expect("cleared");
        proxy.clear().expect("cleared twice");
        node.network.tear_down().expect("torn down");
        node.network.tear_down().expect("torn down twice");
        let shown = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().expect("a program");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert_eq!(shown("nft", &["list", "tables"]), "");
        let links = shown("ip", &["-o", "link"]);
        assert!(!links.contains("sl-7") && !links.contains("sl7-"), "{links}");
    });
}
