//! The carrier on chitchat keeps the promises of carriers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, OnLimit};
use actors_runtime::{Root, System, Tree};
use bytes::Bytes;
use mesh_gossip::{ChitchatCarrier, GossipSettings, MemberInfo, Wire};
use mesh_member::{
    CarrierCommand, CarrierEvent,
    suite::{CarrierField, Told, check_all},
};
use tokio::{runtime::Runtime, sync::Notify, time::timeout};

/// All carriers of a test, and which of them cannot reach each other.
#[derive(Default)]
struct Hub {
    carriers: Mutex<BTreeMap<String, ChitchatCarrier>>,
    cuts: Mutex<BTreeSet<(String, String)>>,
    told: Mutex<Told>,
    news: Notify,
}

struct HubWire {
    from: String,
    hub: Arc<Hub>,
}

impl Wire for HubWire {
    fn send(&self, to: &str, frame: Bytes) {
        let way = (self.from.clone(), to.to_owned());
        if self.hub.cuts.lock().unwrap().contains(&way) {
            return;
        }
        let to = self.hub.carriers.lock().unwrap().get(to).cloned();
        if let Some(to) = to {
            to.receive(&self.from, frame);
        }
    }
}

struct Running {
    root: Root,
    is_current: Arc<AtomicBool>,
}

struct ChitchatField {
    runtime: Runtime,
    hub: Arc<Hub>,
    running: BTreeMap<String, Running>,
}

impl ChitchatField {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        Self { runtime, hub: Arc::default(), running: BTreeMap::new() }
    }
}

impl Drop for ChitchatField {
    fn drop(&mut self) {
        for node in self.running.keys().cloned().collect::<Vec<_>>() {
            self.stop(&node);
        }
    }
}

impl CarrierField for ChitchatField {
    fn start(&mut self, info: MemberInfo, seeds: &[&str]) {
        let node = info.node.clone();
        self.stop(&node);
        let is_current = Arc::new(AtomicBool::new(true));
        let (hub, flag, by) = (Arc::clone(&self.hub), Arc::clone(&is_current), node.clone());
        let tell = move |event| {
            if let CarrierEvent::Info(info) = event
                && flag.load(Ordering::Acquire)
            {
                let mut told = hub.told.lock().unwrap();
                told.entry(by.clone()).or_default().insert(info.node.clone(), info);
                hub.news.notify_waiters();
            }
        };
        let carrier = ChitchatCarrier::new(
            ("cluster".to_owned(), node.clone()),
            seeds.iter().map(|seed| (*seed).to_owned()).collect(),
            GossipSettings { round: Duration::from_millis(100) },
            Arc::new(HubWire { from: node.clone(), hub: Arc::clone(&self.hub) }),
            Arc::new(tell),
        );
        carrier.command(CarrierCommand::Publish(info));
        self.hub.carriers.lock().unwrap().insert(node.clone(), carrier.clone());
        let intensity = Intensity { restarts: 3, period: Duration::from_secs(60) };
        let tree = Tree::new("gossip", intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("chitchat"), carrier.child());
        let root = self.runtime.block_on(async {
            System::new(actors_runtime::entropy().unwrap()).run(tree).await.unwrap()
        });
        self.running.insert(node, Running { root, is_current });
    }

    fn stop(&mut self, node: &str) {
        self.hub.carriers.lock().unwrap().remove(node);
        self.hub.told.lock().unwrap().remove(node);
        if let Some(running) = self.running.remove(node) {
            running.is_current.store(false, Ordering::Release);
            self.runtime.block_on(running.root.shutdown());
        }
    }

    fn command(&mut self, node: &str, command: CarrierCommand) {
        let carrier = self.hub.carriers.lock().unwrap().get(node).cloned().unwrap();
        let gone = match &command {
            CarrierCommand::Forget { node, .. } => Some(node.clone()),
            _ => None,
        };
        carrier.command(command);
        if let Some(gone) = gone {
            self.hub.told.lock().unwrap().get_mut(node).unwrap().remove(&gone);
        }
    }

    fn cut(&mut self, one: &str, other: &str) {
        let mut cuts = self.hub.cuts.lock().unwrap();
        cuts.insert((one.to_owned(), other.to_owned()));
        cuts.insert((other.to_owned(), one.to_owned()));
    }

    fn heal(&mut self) {
        self.hub.cuts.lock().unwrap().clear();
    }

    fn run_until(&mut self, within: Duration, is_done: &dyn Fn(&Told) -> bool) -> bool {
        let hub = Arc::clone(&self.hub);
        let done = async {
            loop {
                let mut news = std::pin::pin!(hub.news.notified());
                news.as_mut().enable();
                if is_done(&hub.told.lock().unwrap()) {
                    return;
                }
                news.await;
            }
        };
        self.runtime.block_on(async { timeout(within, done).await }).is_ok()
    }
}

#[test]
fn the_carrier_on_chitchat_keeps_its_promises() {
    check_all(ChitchatField::new);
}

/// Restarts are new entries for chitchat: a node that comes and goes must not fill the mesh.
#[test]
fn churn_stays_below_what_a_mesh_may_have() {
    let mut field = ChitchatField::new();
    let info =
        |node: &str, life| MemberInfo::new(node, mesh_quic::Role::Agent, actors_core::Wall(life));
    field.start(info("n0", 1), &[]);
    for life in 1..=20 {
        field.start(info("n1", life), &["n0"]);
        let known = field.run_until(Duration::from_secs(20), &|told| {
            told.get("n0").and_then(|known| known.get("n1")) == Some(&info("n1", life))
        });
        assert!(known, "life {life} was not told of");
    }
}
