//! Links between actors and keys: a failure of one ends the other.

use std::{sync::Arc, time::Duration};

use actors_core::{ChildSpec, Correlation, ExitReason, Intensity, OnLimit, WhenFull};
use actors_runtime::{Fault, Inbox, KeyInbox, OrderError, Root, SlabRef, SlabSpec};

use crate::{
    Event, SOON, World,
    monitors::down,
    slabs::{self, Keys},
    spec, tree,
};

/// Actors `a` and `once`, of which the second is not started again after a clean end, and keys.
pub(crate) struct Scene {
    pub(crate) world: World,
    _root: Root,
    slab: SlabRef<Event>,
    keys: Arc<Keys>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let mut world = World::new();
        let often = Intensity { restarts: 1_000, period: Duration::from_secs(60) };
        let slab = SlabSpec { intensity: often, ..slabs::spec_of_slab(WhenFull::Wait) };
        let (slab, keys) = slabs::slab_of(&world, slab);
        let tree = tree("root", 500, OnLimit::Escalate)
            .child(spec("a"), world.probe("a"))
            .child(ChildSpec::transient("once"), world.probe("once"))
            .child(ChildSpec::permanent("pods"), slab);
        let root = world.run(tree).await;
        world.expect(&["a#1 up", "once#1 up"]).await;
        let slab = world.system.slab::<Event>("root/pods");
        slab.ready().await.unwrap();
        for path in ["root/a", "root/once"] {
            world.system.actor::<Event>(path).ready().await.unwrap();
        }
        Self { world, _root: root, slab, keys }
    }

    pub(crate) fn actor(&self, name: &str) -> Inbox<Event> {
        self.world.inboxes.lock().unwrap()[&format!("root/{name}")].clone()
    }

    /// A key that wakes, and stays known until it is answered; it has said this note.
    pub(crate) async fn key(&mut self, key: &str, note: u32) -> KeyInbox<Event> {
        self.slab.tell(key, Event::Ask(Correlation(0))).await.unwrap();
        self.slab.tell(key, Event::Note(note)).await.unwrap();
        self.hear_all(&[&format!("{key}: {note}")]).await;
        self.keys.inboxes.lock().unwrap()[key].clone()
    }

    /// Waits until a life of `a` says this note: a kill that is still on its way may end one first.
    async fn settle(&mut self, note: u32) {
        let actor = self.world.system.actor::<Event>("root/a");
        let said = format!("a: {note}");
        let said = [said.as_str()];
        loop {
            let exact = actor.ready().await.unwrap();
            let monitor = self.world.system.monitor("root/a").unwrap();
            if exact.tell(Event::Note(note)).await.is_ok() {
                tokio::select! {
                    biased;
                    () = self.hear_all(&said) => return,
                    _ = down(monitor) => {}
                }
            }
        }
    }

    /// The only key that waits for an answer has it, and rests.
    pub(crate) async fn answer(&mut self, key: &str) {
        self.keys.answers.add_permits(1);
        self.hear_all(&[&format!("{key}: 0")]).await;
    }

    /// Waits until probes have said all of this, in any order.
    pub(crate) async fn hear_all(&mut self, texts: &[&str]) {
        let mut open: Vec<_> = texts.to_vec();
        while !open.is_empty() {
            let heard = self.world.hear().await;
            open.retain(|text| *text != heard);
        }
    }

    /// Waits until the last life of what is at `path` has ended like this.
    async fn ended(&self, path: &str, why: &str) {
        let reason = Some(ExitReason::Lost(why.to_owned()));
        let is_there = async {
            while self.world.node(path).and_then(|node| node.last_exit) != reason {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(SOON, is_there).await;
        assert!(ended.is_ok(), "{path}: {:?}, not {reason:?}", self.world.node(path));
    }

    /// Waits until a key is not known any more.
    pub(crate) async fn forgotten(&self, key: &str) {
        let is_gone = async {
            while self.world.node(&format!("root/pods/{key}")).is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, is_gone).await.expect("a key at rest takes no memory");
    }
}

#[tokio::test]
async fn a_failure_takes_along_whoever_is_linked_actors_and_keys_alike() {
    let mut scene = Scene::new().await;
    let system = scene.world.system.clone();
    // An actor and a key, tied by the actor; the actor fails.
    scene.key("k", 9).await;
    scene.actor("a").link(&system, "root/pods/k").unwrap();
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["a#2 up", "k awake 2"]).await;
    scene.ended("root/pods/k", "root/a, to which it was linked, panicked: boom").await;
    // The same, tied by the key; the key fails.
    let key = scene.key("l", 9).await;
    key.link(&system, "root/a").unwrap();
    system.inject("root/pods/l", Fault::Error).unwrap();
    scene.hear_all(&["a#3 up", "l awake 2"]).await;
    let asked = Fault::TEXT_ERROR;
    scene.ended("root/a", &format!("root/pods/l, to which it was linked, failed: {asked}")).await;
    // Two keys of one slab; a kill is a failure here, as for a monitor.
    let key = scene.key("m", 9).await;
    scene.key("n", 9).await;
    key.link(&system, "root/pods/n").unwrap();
    system.kill("root/pods/n").unwrap();
    scene.hear_all(&["m awake 2", "n awake 2"]).await;
    scene
        .ended("root/pods/m", "root/pods/n, to which it was linked, was killed by an operator")
        .await;
    // The links died with those lives, and so did those who would make new ones.
    let nobody = |path: &str| Some(OrderError::NotFound(path.to_owned()));
    assert_eq!(key.link(&system, "root/a").err(), nobody("root/pods/m"));
    assert_eq!(scene.actor("a").link(&system, "root/none").err(), nobody("root/none"));
    assert_eq!(scene.actor("a").link(&system, "root/pods/none").err(), nobody("root/pods/none"));
}

#[tokio::test]
async fn a_key_that_is_linked_stays_known_at_rest_until_a_clean_end_or_a_parting() {
    let mut scene = Scene::new().await;
    let system = scene.world.system.clone();
    // It rests once it is answered, and is known all the same.
    scene.key("k", 9).await;
    scene.actor("once").link(&system, "root/pods/k").unwrap();
    scene.answer("k").await;
    scene.slab.tell("k", Event::Note(1)).await.unwrap();
    scene.hear_all(&["k: 1"]).await;
    assert!(scene.world.node("root/pods/k").is_some(), "a key that is linked was forgotten");
    scene.world.tell("root/once", Event::End).await;
    scene.forgotten("k").await;
    // Parted, neither means anything to the other one.
    scene.key("k", 9).await;
    let link = scene.actor("a").link(&system, "root/pods/k").unwrap();
    scene.answer("k").await;
    link.part();
    scene.forgotten("k").await;
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["a#2 up"]).await;
    assert!(scene.world.node("root/pods/k").is_none());
    // At rest it is ended, too: its next life begins.
    scene.key("k", 9).await;
    scene.actor("a").link(&system, "root/pods/k").unwrap();
    scene.answer("k").await;
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["a#3 up"]).await;
    scene.world.system.actor::<Event>("root/a").ready().await.unwrap();
    scene.ended("root/pods/k", "root/a, to which it was linked, panicked: boom").await;
    // The end of a slab is the end of its keys.
    scene.key("z", 9).await;
    scene.actor("a").link(&system, "root/pods/z").unwrap();
    system.kill("root/pods").unwrap();
    scene.hear_all(&["a#4 up"]).await;
    scene.ended("root/a", "root/pods/z, to which it was linked, was killed by an operator").await;
}

#[tokio::test]
async fn a_key_is_told_of_an_end_by_an_event_even_at_rest() {
    let mut scene = Scene::new().await;
    let system = scene.world.system.clone();
    let key = scene.key("k", 9).await;
    let kept = key.monitor(&system, "root/a", |_| Event::Note(7)).unwrap();
    let taken_back = key.monitor(&system, "root/a", |_| Event::Note(8)).unwrap();
    scene.answer("k").await;
    drop(taken_back);
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["k: 7", "a#2 up"]).await;
    scene.forgotten("k").await;
    drop(kept);
    // Once nothing is waited for, it takes no memory.
    let key = scene.key("k", 9).await;
    let taken_back = key.monitor(&system, "root/a", |_| Event::Note(8)).unwrap();
    scene.answer("k").await;
    drop(taken_back);
    scene.forgotten("k").await;
    // What runs nowhere has ended; what a life waits for is void when it is over.
    let key = scene.key("k", 9).await;
    drop(key.monitor(&system, "root/none", |_| Event::Note(10)).unwrap());
    scene.hear_all(&["k: 10"]).await;
    let _void = key.monitor(&system, "root/a", |_| Event::Note(11)).unwrap();
    system.kill("root/pods/k").unwrap();
    while !scene.world.hear().await.starts_with("k awake") {}
    let missing = key.monitor(&system, "root/a", |_| Event::Note(12)).err();
    assert_eq!(missing, Some(OrderError::NotFound("root/pods/k".to_owned())));
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["a#3 up"]).await;
    scene.slab.tell("k", Event::Note(13)).await.unwrap();
    loop {
        match scene.world.hear().await.as_str() {
            "k: 13" => return,
            said => assert!(said.starts_with("k awake"), "{said}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_of_kills_a_link_takes_along_whoever_is_there_and_acts_once() {
    let mut scene = Scene::new().await;
    let system = scene.world.system.clone();
    for round in 1..=60 {
        let key = scene.key("k", round).await;
        scene.settle(round).await;
        let (a, path) = (scene.actor("a"), "root/pods/k");
        let of_actor = system.monitor("root/a").unwrap();
        let of_key = system.monitor(path).unwrap();
        // The tie and the end race; whoever is killed ties, or is named by its path.
        let killed = if round % 2 == 0 { "root/a" } else { path };
        let (killed_well, tied) = std::thread::scope(|scope| {
            let kill = scope.spawn(|| system.kill(killed));
            let tied =
                if round % 3 == 0 { key.link(&system, "root/a") } else { a.link(&system, path) };
            (kill.join().unwrap(), tied)
        });
        assert_eq!(killed_well, Ok(()));
        let (first, second) = if killed == path { (of_key, of_actor) } else { (of_actor, of_key) };
        assert_eq!(down(first).await.reason, ExitReason::Killed);
        if tied.is_err() {
            continue;
        }
        let mut second = std::pin::pin!(down(second));
        let told = loop {
            tokio::select! {
                biased;
                told = &mut second => break told,
                // A path may have meant the next life already: then the link acts at that one's end.
                () = tokio::task::yield_now() => drop(system.kill(killed)),
            }
        };
        assert!(matches!(told.reason, ExitReason::Lost(_)), "{told:?}");
    }
}
