//! A handler that takes long holds up its own key and nobody else.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actors_core::{
    Backoff, ChildSpec, Effects, ExitReason, Intensity, Machine, MailboxPolicy, OnLimit,
    SupervisorNotice, Turn,
};
use actors_runtime::{Child, KeyInbox, Keyed, NodeState, Root, SlabRef, SlabSpec};
use serde::{Deserialize, Serialize};

use crate::{Said, World, tree};

/// What handlers wait for, by key.
type Gates = Arc<Mutex<BTreeMap<String, mpsc::Receiver<()>>>>;

struct Hanger {
    key: String,
    said: Said,
    gates: Gates,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Event {
    Note(u32),
    Hang,
    HangAndBoom,
}

impl Hanger {
    fn hang(&self) {
        let gate = self.gates.lock().unwrap().remove(&self.key).expect("a gate for this key");
        self.said.say(format!("{} hangs", self.key));
        gate.recv().unwrap();
    }
}

impl Machine for Hanger {
    type Event = Event;
    type Effect = String;
    type View = ();

    fn handle(&mut self, _turn: Turn<'_>, event: Event, out: &mut Effects<String>) {
        match event {
            Event::Note(note) => out.push(format!("{}: {note}", self.key)),
            Event::Hang => {
                self.hang();
                out.push(format!("{} goes on", self.key));
            }
            Event::HangAndBoom => {
                self.hang();
                panic!("boom");
            }
        }
    }
}

struct Hangers {
    said: Said,
    gates: Gates,
}

impl Keyed for Hangers {
    type Machine = Hanger;
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn activate(&mut self, inbox: &KeyInbox<Event>) -> Option<Hanger> {
        let key = inbox.key().to_owned();
        Some(Hanger { key, said: self.said.clone(), gates: Arc::clone(&self.gates) })
    }

    fn submit(&mut self, effect: String, _inbox: &KeyInbox<Event>) {
        self.said.say(effect);
    }

    fn is_at_rest(&self, _machine: &Hanger) -> bool {
        true
    }
}

struct Slow {
    world: World,
    root: Root,
    slab: SlabRef<Event>,
    gates: Gates,
}

impl Slow {
    async fn new() -> Self {
        let world = World::new();
        let ms = Duration::from_millis;
        let spec = SlabSpec {
            kind: "pod".into(),
            mailbox: MailboxPolicy::wait(64),
            keys_max: 16,
            intensity: Intensity { restarts: 1, period: Duration::from_secs(60) },
            backoff: Backoff { initial: ms(1), max: ms(1), jitter_percent: 0 },
        };
        let (said, gates) = (world.said.clone(), Gates::default());
        let given = Arc::clone(&gates);
        let slab = Child::slab(spec, move |_| {
            let (said, gates) = (said.clone(), Arc::clone(&given));
            async move { Ok(Hangers { said, gates }) }
        });
        let tree = tree("root", 0, OnLimit::Escalate).child(ChildSpec::permanent("pods"), slab);
        let root = world.run(tree).await;
        let slab = world.system.slab::<Event>("root/pods");
        slab.ready().await.unwrap();
        Self { world, root, slab, gates }
    }

    /// A key whose handler waits from now on, until something is sent.
    async fn hang(&mut self, key: &str, event: Event) -> mpsc::SyncSender<()> {
        let (open, gate) = mpsc::sync_channel(1);
        self.gates.lock().unwrap().insert(key.to_owned(), gate);
        self.slab.tell(key, event).await.unwrap();
        self.world.expect(&[&format!("{key} hangs")]).await;
        open
    }

    async fn note(&self, key: &str, note: u32) {
        self.slab.tell(key, Event::Note(note)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_one_key_hangs_and_then_another() {
    let mut slow = Slow::new().await;
    let mut notices = slow.world.system.notices();
    let first = slow.hang("first", Event::Hang).await;
    for note in 0..10 {
        slow.note("first", note).await;
    }
    slow.note("good", 1).await;
    slow.world.expect(&["good: 1"]).await;
    // Whoever went on in the place of the first one hangs too.
    let second = slow.hang("second", Event::Hang).await;
    slow.note("good", 2).await;
    slow.world.expect(&["good: 2"]).await;
    for _ in 0..2 {
        let told = notices.next().await.unwrap();
        assert!(matches!(told.notice, SupervisorNotice::Slow { .. }), "{told:?}");
        assert!(["root/pods/first", "root/pods/second"].contains(&told.path.as_str()));
    }
    second.send(()).unwrap();
    slow.world.expect(&["second goes on"]).await;
    assert_eq!(slow.world.node("root/pods/first").unwrap().depth, 10);
    first.send(()).unwrap();
    slow.world.expect(&["first goes on"]).await;
    for note in 0..10 {
        slow.world.expect(&[&format!("first: {note}")]).await;
    }
    slow.note("good", 3).await;
    slow.world.expect(&["good: 3"]).await;
    // Those that hung rest like all others.
    while slow.world.system.tree().len() > 2 {
        tokio::task::yield_now().await;
    }
    let slab = slow.world.node("root/pods").unwrap();
    assert_eq!((slab.restarts, slab.state), (0, NodeState::Running));
    assert!(slab.slow.count >= 2 && slab.slow.longest_us >= 10_000, "{:?}", slab.slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_hangs_fails_alone_and_obeys_when_it_is_back() {
    let mut slow = Slow::new().await;
    let open = slow.hang("bad", Event::HangAndBoom).await;
    slow.note("bad", 1).await;
    slow.note("good", 2).await;
    slow.world.expect(&["good: 2"]).await;
    open.send(()).unwrap();
    slow.world.expect(&["bad: 1"]).await;
    let open = slow.hang("bad", Event::Hang).await;
    // Only a handler that comes back can be ended.
    slow.world.system.kill("root/pods/bad").unwrap();
    slow.note("bad", 3).await;
    slow.note("good", 4).await;
    slow.world.expect(&["good: 4"]).await;
    open.send(()).unwrap();
    slow.world.expect(&["bad goes on", "bad: 3"]).await;
    assert_eq!(slow.world.node("root/pods").unwrap().restarts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_slab_waits_for_a_handler_that_hangs() {
    let mut slow = Slow::new().await;
    let open = slow.hang("stuck", Event::Hang).await;
    slow.note("good", 1).await;
    slow.world.expect(&["good: 1"]).await;
    slow.world.system.kill("root/pods").unwrap();
    let (system, root) = (slow.world.system.clone(), slow.root.clone());
    let life = |system: &actors_runtime::System| {
        let tree = system.tree();
        tree.into_iter().find(|node| node.path == "root/pods").map(|node| node.incarnation.0)
    };
    assert_eq!(life(&system), Some(1));
    open.send(()).unwrap();
    // The next life begins only now.
    while life(&system) != Some(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
}
