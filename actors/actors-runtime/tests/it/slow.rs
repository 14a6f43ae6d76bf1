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
use actors_runtime::{
    Child, Clock, DeadReason, Driver, Inbox, KeyInbox, Keyed, NodeState, Root, SlabRef, SlabSpec,
    Trace,
};
use serde::{Deserialize, Serialize};

use crate::{SOON, Said, World, tree};

/// What keys wait for, by name; whoever finds none goes on.
type Gates = Arc<Mutex<BTreeMap<String, mpsc::Receiver<()>>>>;

/// Waits for the gate of this name, if there is one.
fn pass(gates: &Gates, said: &Said, name: &str) {
    let gate = gates.lock().unwrap().remove(name);
    if let Some(gate) = gate {
        said.say(format!("{name} hangs"));
        gate.recv().unwrap();
    }
}

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
    /// Notes this by a timer, which fires when all have long gone home.
    HangAndNote(u32),
    /// Its effect hangs, and panics then if this says so.
    HangInEffect {
        booms: bool,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Effect {
    Say(String),
    Later(u32),
    Hang { booms: bool },
}

impl Hanger {
    fn hang(&self) {
        pass(&self.gates, &self.said, &self.key);
    }
}

impl Machine for Hanger {
    type Event = Event;
    type Effect = Effect;
    type View = ();

    fn handle(&mut self, _turn: Turn<'_>, event: Event, out: &mut Effects<Effect>) {
        match event {
            Event::Note(note) => out.push(Effect::Say(format!("{}: {note}", self.key))),
            Event::Hang => {
                self.hang();
                out.push(Effect::Say(format!("{} goes on", self.key)));
            }
            Event::HangAndNote(note) => {
                self.hang();
                out.push(Effect::Later(note));
            }
            Event::HangInEffect { booms } => {
                out.push(Effect::Hang { booms });
                out.push(Effect::Say(format!("{} goes on", self.key)));
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

    fn activate(&self, inbox: &KeyInbox<Event>) -> Option<Hanger> {
        let key = inbox.key().to_owned();
        pass(&self.gates, &self.said, &format!("{key} wakes and"));
        let is_there = !key.starts_with("nobody");
        is_there.then(|| Hanger { key, said: self.said.clone(), gates: Arc::clone(&self.gates) })
    }

    fn submit(&self, effect: Effect, inbox: &KeyInbox<Event>) {
        match effect {
            Effect::Say(text) => self.said.say(text),
            Effect::Later(note) => {
                let at = Clock.mono().after(Duration::from_millis(50));
                inbox.send_at(at, Event::Note(note));
            }
            Effect::Hang { booms } => {
                pass(&self.gates, &self.said, inbox.key());
                assert!(!booms, "boom");
            }
        }
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

    /// A key whose handler, or its effect, waits from now on, until something is sent.
    async fn hang(&mut self, key: &str, event: Event) -> mpsc::SyncSender<()> {
        self.hang_at(key, key, event).await
    }

    /// A key whose activation waits from now on, until something is sent.
    async fn hang_while_waking(&mut self, key: &str, event: Event) -> mpsc::SyncSender<()> {
        self.hang_at(&format!("{key} wakes and"), key, event).await
    }

    async fn hang_at(&mut self, name: &str, key: &str, event: Event) -> mpsc::SyncSender<()> {
        let (open, gate) = mpsc::sync_channel(1);
        self.gates.lock().unwrap().insert(name.to_owned(), gate);
        self.slab.tell(key, event).await.unwrap();
        self.world.expect(&[&format!("{name} hangs")]).await;
        open
    }

    /// Waits for the first dead letter with this reason.
    async fn buried(&self, reason: DeadReason) {
        let is_there = async {
            while !self.world.system.dead_letters().counts.contains_key(&reason) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, is_there).await.expect("a dead letter");
    }

    /// Waits until all keys rest; what they share has not ended.
    async fn rests(&self) {
        while self.world.system.tree().len() > 2 {
            tokio::task::yield_now().await;
        }
        let slab = self.world.node("root/pods").unwrap();
        assert_eq!((slab.restarts, slab.state), (0, NodeState::Running));
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
    // Those who hang are seen as busy, and slow.
    let node = slow.world.node("root/pods/first").unwrap();
    assert!(node.slow.count == 1 && node.busy_us >= 10_000, "{node:?}");
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
    slow.rests().await;
    let slab = slow.world.node("root/pods").unwrap();
    assert!(slab.slow.count >= 2 && slab.slow.longest_us >= 10_000, "{:?}", slab.slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_one_key_is_slow_to_wake_and_others_to_begin_effects() {
    let mut slow = Slow::new().await;
    let mut notices = slow.world.system.notices();
    let waking = slow.hang_while_waking("waking", Event::Note(1)).await;
    slow.note("waking", 2).await;
    slow.note("good", 1).await;
    slow.world.expect(&["good: 1"]).await;
    let effect = slow.hang("effect", Event::HangInEffect { booms: false }).await;
    slow.note("effect", 3).await;
    let nobody = slow.hang_while_waking("nobody", Event::Note(4)).await;
    let boom = slow.hang("boom", Event::HangInEffect { booms: true }).await;
    slow.note("boom", 5).await;
    // Another one wakes, and begins its effects.
    slow.note("other", 6).await;
    slow.world.expect(&["other: 6"]).await;
    let mut named = std::collections::BTreeSet::new();
    while named.len() < 4 {
        let told = notices.next().await.unwrap();
        assert!(matches!(told.notice, SupervisorNotice::Slow { .. }), "{told:?}");
        named.insert(told.path);
    }
    let hung = ["boom", "effect", "nobody", "waking"].map(|key| format!("root/pods/{key}"));
    assert_eq!(named, hung.into());
    effect.send(()).unwrap();
    slow.world.expect(&["effect goes on", "effect: 3"]).await;
    waking.send(()).unwrap();
    slow.world.expect(&["waking: 1", "waking: 2"]).await;
    // What waits outlives the panic; the effects behind it are lost.
    boom.send(()).unwrap();
    slow.world.expect(&["boom: 5"]).await;
    nobody.send(()).unwrap();
    slow.buried(DeadReason::Ended).await;
    slow.note("good", 7).await;
    slow.world.expect(&["good: 7"]).await;
    assert_eq!(slow.world.node("root/pods").unwrap().restarts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_of_a_key_that_hung_while_nobody_else_wanted_anything_is_heard() {
    let mut slow = Slow::new().await;
    let mut notices = slow.world.system.notices();
    let open = slow.hang("slow", Event::HangAndNote(1)).await;
    let told = notices.next().await.unwrap();
    assert!(matches!(told.notice, SupervisorNotice::Slow { .. }), "{told:?}");
    open.send(()).unwrap();
    slow.world.expect(&["slow: 1"]).await;
    slow.note("good", 2).await;
    slow.world.expect(&["good: 2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_hangs_fails_alone_and_obeys_when_it_is_back() {
    let mut slow = Slow::new().await;
    let trace = Trace { trace: [7; 16], span: [8; 8] };
    let open = trace.cover(slow.hang("bad", Event::HangAndBoom)).await;
    slow.note("bad", 1).await;
    slow.note("good", 2).await;
    slow.world.expect(&["good: 2"]).await;
    open.send(()).unwrap();
    slow.world.expect(&["bad: 1"]).await;
    let dead: Vec<_> = slow.world.system.dead_letters().recent.into();
    let dead: Vec<_> = dead.into_iter().map(|letter| (letter.reason, letter.trace)).collect();
    assert_eq!(dead, [(DeadReason::Poison, Some(trace.to_string()))]);
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

struct Alone(Said);

impl Driver<Hanger> for Alone {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: Effect, _inbox: &Inbox<Event>) {
        if let Effect::Say(text) = effect {
            self.0.say(text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_of_its_own_that_hangs_is_named_and_seen_while_it_does() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let (said, gates) = (world.said.clone(), Gates::default());
    let (open, gate) = mpsc::sync_channel(1);
    gates.lock().unwrap().insert("alone".to_owned(), gate);
    let child = Child::machine(move |_| {
        let (said, gates) = (said.clone(), Arc::clone(&gates));
        let hanger = Hanger { key: "alone".to_owned(), said: said.clone(), gates };
        async move { Ok((hanger, Alone(said))) }
    });
    let tree = tree("root", 0, OnLimit::Escalate).child(ChildSpec::permanent("alone"), child);
    let root = world.run(tree).await;
    let alone = world.system.actor::<Event>("root/alone");
    alone.ready().await.unwrap().tell(Event::Hang).await.unwrap();
    world.expect(&["alone hangs"]).await;
    let told = tokio::time::timeout(SOON, notices.next()).await.unwrap().unwrap();
    assert_eq!(told.path, "root/alone");
    let SupervisorNotice::Slow { name, taken } = told.notice else { panic!("{told:?}") };
    assert_eq!(name, "alone");
    let node = world.node("root/alone").unwrap();
    assert_eq!(node.slow.count, 1, "{node:?}");
    let taken = u64::try_from(taken.as_micros()).unwrap();
    assert!(taken >= 10_000 && node.slow.longest_us >= taken && node.busy_us >= taken, "{node:?}");
    open.send(()).unwrap();
    alone.tell(Event::Note(1)).await.unwrap();
    world.expect(&["alone goes on", "alone: 1"]).await;
    assert_eq!(world.node("root/alone").unwrap().slow.count, 1);
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
}
