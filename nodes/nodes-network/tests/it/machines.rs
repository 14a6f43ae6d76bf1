//! Two machines, each a network namespace: on one network, and with a router between them.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::mpsc,
    thread,
};

use nodes_network::{BridgeConfig, Desired, Endpoint, Machine, PodNetwork as _, within};
use tempfile::TempDir;

use super::{Node, Pod, SERVICE, ask, enter, namespace, service};
use crate::Protocol;

/// One machine: a namespace with a way to the other one, and a node in it.
struct Host {
    netns: PathBuf,
    node: Node,
    machine: Machine,
    _stop: mpsc::Sender<()>,
    _folder: TempDir,
}

impl Host {
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.netns, work).expect("work on the machine")
    }

    fn reach(&self, machines: &[&Self]) -> BTreeSet<Ipv4Addr> {
        let all: Vec<Machine> = machines.iter().map(|host| host.machine.clone()).collect();
        self.run(|| self.node.network.reach(&all).expect("ways to other nodes"))
    }

    fn pod(&self, name: &str) -> Pod {
        self.run(|| self.node.pod(name))
    }

    fn apply(&self, desired: &Desired) {
        self.run(|| self.node.proxy().apply(desired).expect("applied"));
    }

    fn shown(&self, command: &str) -> String {
        self.run(|| shell(command))
    }
}

/// Runs one line of shell where this thread is; what it wrote.
fn shell(command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).output().expect("a shell");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The thread that holds a namespace, as `ip link set ... netns` takes it.
fn holder(netns: &std::path::Path) -> String {
    let mut parts = netns.iter().rev().skip(2);
    parts.next().expect("a thread").to_string_lossy().into_owned()
}

struct Wish {
    name: &'static str,
    address: Ipv4Addr,
    pod_range: &'static str,
}

fn host(wish: &Wish, (netns, stop): (PathBuf, mpsc::Sender<()>)) -> Host {
    let folder = tempfile::tempdir().expect("a folder");
    let range = |text: &str| text.parse().expect("a range");
    let config = BridgeConfig {
        index: 3,
        node: wish.name.into(),
        address: wish.address,
        pod_range: range(wish.pod_range),
        cluster_range: range("10.42.0.0/16"),
        service_range: range("10.96.0.0/16"),
        vni: 4_242,
        address_file: folder.path().join("addresses"),
    };
    let machine =
        Machine { name: wish.name.into(), address: wish.address, pod_range: config.pod_range };
    let node = within(&netns, || Node::new(config)).expect("a node");
    Host { netns, node, machine, _stop: stop, _folder: folder }
}

const A: Wish = Wish { name: "a", address: Ipv4Addr::new(192, 0, 2, 1), pod_range: "10.42.0.0/24" };

fn is_able(name: &str, has_tunnel: bool) -> bool {
    let has = |program: &str| Command::new(program).arg("-V").output().is_ok();
    if !nix::unistd::geteuid().is_root() || !has("nft") || !has("ip") {
        println!("SKIPPED {name}: needs root and the programs nft and ip");
        return false;
    }
    if has_tunnel {
        let (netns, _stop) = namespace();
        let make = "ip link add probe type vxlan id 1 dstport 4789";
        let made = || Command::new("sh").args(["-c", make]).output().expect("a shell").status;
        if !within(&netns, made).expect("a namespace").success() {
            println!("SKIPPED {name}: this kernel has no VXLAN");
            return false;
        }
    }
    true
}

/// Two machines on one network.
fn on_one_network(name: &str, test: impl FnOnce(&Host, &Host)) {
    if !is_able(name, false) {
        return;
    }
    let (one, two) = (namespace(), namespace());
    let peer = holder(&two.0);
    within(&one.0, || {
        shell(&format!(
            "ip link add eth1 mtu 1400 type veth peer name eth1 mtu 1400 netns {peer}; \
             ip addr add 192.0.2.1/24 dev eth1; ip link set eth1 up"
        ));
    })
    .expect("a machine");
    within(&two.0, || shell("ip addr add 192.0.2.2/24 dev eth1; ip link set eth1 up"))
        .expect("a machine");
    let b = Wish { name: "b", address: Ipv4Addr::new(192, 0, 2, 2), pod_range: "10.42.1.0/24" };
    test(&host(&A, one), &host(&b, two));
}

/// Two machines with a router between them, which knows nothing of pods.
fn behind_a_router(name: &str, test: impl FnOnce(&Host, &Host, &std::path::Path)) {
    if !is_able(name, true) {
        return;
    }
    let (one, two, router) = (namespace(), namespace(), namespace());
    for (machine, address, gateway) in
        [(&one, "192.0.2.1", "192.0.2.254"), (&two, "198.51.100.2", "198.51.100.254")]
    {
        let peer = holder(&router.0);
        let name = format!("to{}", holder(&machine.0));
        within(&machine.0, || {
            shell(&format!(
                "ip link add eth1 type veth peer name {name} netns {peer}; \
                 ip addr add {address}/24 dev eth1; ip link set eth1 up"
            ));
        })
        .expect("a machine");
        within(&router.0, || {
            shell(&format!(
                "ip addr add {gateway}/24 dev {name}; ip link set {name} up; \
                 echo 1 > /proc/sys/net/ipv4/ip_forward"
            ));
        })
        .expect("the router");
        within(&machine.0, || shell(&format!("ip route add default via {gateway}")))
            .expect("a machine");
    }
    let far = Ipv4Addr::new(198, 51, 100, 2);
    let b = Wish { name: "b", address: far, pod_range: "10.42.1.0/24" };
    test(&host(&A, one), &host(&b, two), &router.0);
}

fn web(pod: &Pod, local: bool, nodes: BTreeSet<Ipv4Addr>) -> Desired {
    let endpoint = Endpoint { address: pod.address, port: 8080, local };
    Desired { nodes, ..service(Protocol::Tcp, 80, vec![endpoint]) }
}

#[test]
fn pods_of_machines_on_one_network_see_each_others_own_addresses() {
    on_one_network("one-network", |a, b| {
        let straight = a.reach(&[a, b]);
        assert_eq!(straight, BTreeSet::from([b.machine.address]), "b knows the way back");
        let back = b.reach(&[b, a]);
        let (one, two) = (a.pod("one"), b.pod("two"));
        two.serve();
        let by_ip = one.within(|| ask(two.address, 8080));
        assert_eq!(by_ip, Ok((two.address, one.address)), "pod to pod");
        let from_node = a.run(|| ask(two.address, 8080));
        assert_eq!(from_node, Ok((two.address, a.machine.address)), "node to pod");

        a.apply(&web(&two, false, straight));
        b.apply(&web(&two, true, back));
        let by_service = one.within(|| ask(SERVICE, 80));
        assert_eq!(by_service, Ok((two.address, one.address)), "by the Service's address");
        let from_node = a.run(|| ask(SERVICE, 80)).map(|(own, _)| own);
        assert_eq!(from_node, Ok(two.address), "node to Service");
        let by_node_port = b.run(|| ask(a.machine.address, 30_080));
        assert_eq!(
            by_node_port,
            Ok((two.address, a.machine.address)),
            "by a port of the other node"
        );
        let mtu = one.within(|| shell("ip link show eth0"));
        assert!(mtu.contains("mtu 1400"), "what fits through the machine's network: {mtu}");

        // A packet to the other node has the pod's own address, and finds the way back.
        let listener = b.run(|| TcpListener::bind((b.machine.address, 9_000)).expect("bound"));
        let accept = move || listener.accept().expect("a connection").1.ip();
        let accepted = thread::Builder::new().spawn(accept).expect("a thread");
        one.within(|| TcpStream::connect((b.machine.address, 9_000)).map(drop)).expect("connected");
        assert_eq!(accepted.join().expect("accepted"), one.address, "pod to node");

        a.reach(&[a]);
        assert!(!a.shown("ip route").contains("10.42.1.0"), "the way to a node that is gone");
        assert!(b.shown("ip route").contains("10.42.0.0/24 via 192.0.2.1"), "untouched");
        b.run(|| b.node.network.tear_down().expect("torn down"));
        assert_eq!(
            b.shown("ip route"),
            "192.0.2.0/24 dev eth1 proto kernel scope link src 192.0.2.2 \n"
        );
    });
}

#[test]
fn pods_behind_a_router_see_each_others_own_addresses() {
    behind_a_router("tunnel", |a, b, router| {
        assert_eq!(a.reach(&[a, b]), BTreeSet::new(), "b is on no network of a");
        b.reach(&[a, b]);
        let (one, two) = (a.pod("one"), b.pod("two"));
        two.serve();
        let by_ip = one.within(|| ask(two.address, 8080));
        assert_eq!(by_ip, Ok((two.address, one.address)), "pod to pod");
        let from_node = a.run(|| ask(two.address, 8080));
        assert_eq!(from_node, Ok((two.address, a.node.network.gateway())), "node to pod");
        for (host, local) in [(a, false), (b, true)] {
            host.apply(&web(&two, local, BTreeSet::new()));
        }
        let by_service = one.within(|| ask(SERVICE, 80));
        assert_eq!(by_service, Ok((two.address, one.address)), "by the Service's address");
        let by_node_port = b.run(|| ask(a.machine.address, 30_080)).map(|(own, _)| own);
        assert_eq!(by_node_port, Ok(two.address), "by a port of the other node");
        // An outsider that sends what is for Services to one node gets its answer from that node.
        let outside = within(router, || {
            shell("ip route add 10.96.0.0/16 via 192.0.2.1");
            ask(SERVICE, 80).map(|(own, _)| own)
        });
        assert_eq!(outside.expect("the router"), Ok(two.address), "from outside of the cluster");
        assert_eq!(large_answer(&one, &two), 300_000, "more than fits into the tunnel at once");

        // The same again changes nothing; another tunnel of an earlier life is replaced.
        let shown = a.shown("ip -d link show slx-3; bridge fdb show dev slx-3; ip neigh");
        a.reach(&[a, b]);
        let again = a.shown("ip -d link show slx-3; bridge fdb show dev slx-3; ip neigh");
        let words = |text: &str| text.matches("198.51.100.2").count();
        assert_eq!((words(&shown), words(&again)), (1, 1), "{shown}{again}");
        a.run(|| shell("ip link del slx-3; ip link add slx-3 type vxlan id 5 dstport 4789"));
        a.reach(&[a, b]);
        assert_eq!(one.within(|| ask(two.address, 8080)), Ok((two.address, one.address)));

        a.reach(&[a]);
        assert!(!a.shown("ip link; ip route").contains("slx-3"), "no tunnel without a need");
        b.run(|| b.node.network.tear_down().expect("torn down"));
        assert!(!b.shown("ip link; ip route").contains("sl"), "nothing is left");
    });
}

/// How much of a large answer arrives.
fn large_answer(client: &Pod, server: &Pod) -> usize {
    let (address, netns) = (server.address, server.netns.clone());
    let (tell, told) = mpsc::channel();
    let serve = move || {
        enter(&netns);
        let listener = TcpListener::bind((address, 8_081)).expect("bound");
        tell.send(()).expect("someone waits");
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(&[7; 300_000]).expect("written");
    };
    let serving = thread::Builder::new().spawn(serve).expect("a thread");
    told.recv().expect("listening");
    let length = client.within(|| {
        let mut stream = TcpStream::connect((address, 8_081)).expect("connected");
        stream.set_read_timeout(Some(super::PATIENCE)).expect("a timeout");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_or(0, |length| length)
    });
    serving.join().expect("served");
    length
}
