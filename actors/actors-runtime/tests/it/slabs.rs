//! Keyed machines: activation, rest, poison, parking, bounds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{
    Backoff, ChildSpec, ExitReason, Intensity, MailboxPolicy, OnLimit, SupervisorNotice, WhenFull,
};
use actors_runtime::{
    Child, DeadReason, KeyInbox, Keyed, NodeState, Notice, Notices, Refusal, SlabRef, SlabSpec,
    Trace,
};

use tokio::sync::Semaphore;

use crate::{Effect, Event, Probe, Said, World, tree};

pub(crate) struct Probes {
    said: Said,
    keys: Arc<Keys>,
    lives: Mutex<BTreeMap<String, u32>>,
}

/// What a test has in its hand.
pub(crate) struct Keys {
    /// The inbox of each key's newest life.
    pub(crate) inboxes: Mutex<BTreeMap<String, KeyInbox<Event>>>,
    /// Keys that ask get as many answers as there are permits.
    pub(crate) answers: Semaphore,
}

impl Probes {
    pub(crate) fn new(said: Said) -> Self {
        let keys = Keys { inboxes: Mutex::default(), answers: Semaphore::new(0) };
        Self { said, keys: Arc::new(keys), lives: Mutex::default() }
    }
}

impl Keyed for Probes {
    type Machine = Probe;
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn activate(&self, inbox: &KeyInbox<Event>) -> Option<Probe> {
        let mut lives = self.lives.lock().unwrap();
        let life = lives.entry(inbox.key().to_owned()).or_default();
        *life += 1;
        self.keys.inboxes.lock().unwrap().insert(inbox.key().to_owned(), inbox.clone());
        self.said.say(format!("{} awake {life}", inbox.key()));
        (inbox.key() != "nobody").then_some(Probe)
    }

    fn submit(&self, effect: Effect, inbox: &KeyInbox<Event>) {
        match effect {
            Effect::Say(note) => self.said.say(format!("{}: {note}", inbox.key())),
            Effect::Timer { at, note } => inbox.send_at(at, Event::Note(note)),
            Effect::Work => inbox.spawn(async { Event::Note(77) }),
            Effect::Answer(_) => {
                let keys = Arc::clone(&self.keys);
                inbox.spawn(async move {
                    keys.answers.acquire().await.unwrap().forget();
                    Event::Note(0)
                });
            }
            Effect::Fail => inbox.send(Event::Note(1_000)),
            Effect::End => inbox.end(ExitReason::Normal),
        }
    }

    fn is_at_rest(&self, _machine: &Probe) -> bool {
        true
    }
}

pub(crate) async fn world(when_full: WhenFull) -> (World, SlabRef<Event>) {
    let world = World::new();
    let (slab, _) = slab_of(&world, spec_of_slab(when_full));
    let tree = tree("root", 0, OnLimit::Escalate).child(ChildSpec::permanent("pods"), slab);
    drop(world.run(tree).await);
    let slab = world.system.slab::<Event>("root/pods");
    slab.ready().await.unwrap();
    (world, slab)
}

/// Few keys, of which one that fails twice is parked.
pub(crate) fn spec_of_slab(when_full: WhenFull) -> SlabSpec {
    let ms = Duration::from_millis;
    SlabSpec {
        kind: "pod".into(),
        mailbox: MailboxPolicy { capacity: 2, when_full },
        keys_max: 4,
        intensity: Intensity { restarts: 1, period: Duration::from_secs(60) },
        backoff: Backoff { initial: ms(1), max: ms(1), jitter_percent: 0 },
    }
}

/// A slab of probes.
pub(crate) fn slab_of(world: &World, spec: SlabSpec) -> (Child, Arc<Keys>) {
    let said = world.said.clone();
    let keys = Probes::new(said.clone()).keys;
    let given = Arc::clone(&keys);
    let slab = Child::slab(spec, move |_| {
        let (said, keys) = (said.clone(), Arc::clone(&given));
        async move { Ok(Probes { keys, ..Probes::new(said) }) }
    });
    (slab, keys)
}

/// The next notice, but for those of slow handlers: a panic that prints its backtrace may be one.
async fn told(notices: &mut Notices) -> Notice {
    loop {
        let told = notices.next().await.unwrap();
        if !matches!(told.notice, SupervisorNotice::Slow { .. }) {
            return told;
        }
    }
}

#[tokio::test]
async fn a_key_wakes_for_a_message_and_takes_no_memory_at_rest() {
    let (mut world, slab) = world(WhenFull::Refuse).await;
    slab.tell("default/web-0", Event::Note(1)).await.unwrap();
    world.expect(&["default/web-0 awake 1", "default/web-0: 1"]).await;
    while world.node("root/pods/default/web-0").is_some() {
        tokio::task::yield_now().await;
    }
    slab.tell("default/web-0", Event::Work).await.unwrap();
    world.expect(&["default/web-0 awake 2", "default/web-0 awake 3", "default/web-0: 77"]).await;
    let at = world.system.now().mono.after(Duration::from_millis(2));
    slab.tell("x", Event::Timer { at, note: 5 }).await.unwrap();
    world.expect(&["x awake 1", "x awake 2", "x: 5"]).await;
    slab.tell("nobody", Event::Note(1)).await.unwrap();
    world.expect(&["nobody awake 1"]).await;
}

#[tokio::test]
async fn a_poisoned_key_is_parked_alone_until_it_is_unparked() {
    let (mut world, slab) = world(WhenFull::Refuse).await;
    let mut notices = world.system.notices();
    slab.tell("bad", Event::Boom).await.unwrap();
    slab.tell("bad", Event::Note(1)).await.unwrap();
    slab.tell("good", Event::Note(2)).await.unwrap();
    // What waits for the bad key outlives its failure.
    world.expect(&["bad awake 1", "good awake 1", "good: 2", "bad awake 2", "bad: 1"]).await;
    slab.tell("bad", Event::Boom).await.unwrap();
    world.expect(&["bad awake 3"]).await;
    assert!(matches!(told(&mut notices).await.notice, SupervisorNotice::Restarting { .. }));
    let parked = told(&mut notices).await;
    assert_eq!(parked.path, "root/pods/bad");
    assert!(matches!(parked.notice, SupervisorNotice::Parked { name, .. } if name == "bad"));
    let node = world.node("root/pods/bad").unwrap();
    assert_eq!((node.state, node.restarts), (NodeState::Parked, 1));
    assert_eq!(node.address.unwrap().to_string(), "pod/bad");
    let refused = slab.tell("bad", Event::Note(3)).await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::Parked);
    slab.tell("good", Event::Note(4)).await.unwrap();
    world.expect(&["good awake 2", "good: 4"]).await;
    world.system.unpark("root/pods/bad").unwrap();
    world.expect(&["bad awake 4"]).await;
    slab.tell("bad", Event::Note(5)).await.unwrap();
    world.expect(&["bad awake 5", "bad: 5"]).await;
}

#[tokio::test]
async fn a_dead_letter_of_a_key_tells_on_whose_behalf_it_was_sent() {
    let (mut world, slab) = world(WhenFull::Refuse).await;
    let [one, other] = [1, 2].map(|number| Trace { trace: [number; 16], span: [number; 8] });
    one.cover(slab.tell("bad", Event::Boom)).await.unwrap();
    world.expect(&["bad awake 1", "bad awake 2"]).await;
    other.cover(slab.tell("nobody", Event::Note(1))).await.unwrap();
    slab.tell("good", Event::Note(2)).await.unwrap();
    world.expect(&["nobody awake 1", "good awake 1", "good: 2"]).await;
    let dead: Vec<_> = world.system.dead_letters().recent.into();
    let dead: Vec<_> = dead.into_iter().map(|letter| (letter.reason, letter.trace)).collect();
    let (one, other) = (Some(one.to_string()), Some(other.to_string()));
    assert_eq!(dead, [(DeadReason::Poison, one), (DeadReason::Ended, other)]);
}

#[tokio::test]
async fn each_key_has_its_own_bound_and_the_slab_has_one_for_keys() {
    let (mut world, slab) = world(WhenFull::Wait).await;
    for note in 0..2 {
        slab.try_tell("full", Event::Note(note)).unwrap();
    }
    assert_eq!(slab.try_tell("full", Event::Note(2)).unwrap_err().refusal, Refusal::Full);
    for key in ["a", "b", "c"] {
        slab.try_tell(key, Event::Note(0)).unwrap();
    }
    assert_eq!(slab.try_tell("d", Event::Note(0)).unwrap_err().refusal, Refusal::Full);
    // With this policy the sender waits until there is room.
    slab.tell("full", Event::Note(2)).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let text = world.hear().await;
        heard.extend(text.strip_prefix("full: ").map(str::to_owned));
    }
    assert_eq!(heard, ["0", "1", "2"]);
}

#[tokio::test]
async fn a_keys_own_events_and_its_end_go_ahead_of_what_others_sent() {
    let (mut world, slab) = world(WhenFull::Wait).await;
    // At first one event is taken at a time, so that the second one waits when the first one's effect
    // comes.
    slab.try_tell("new", Event::Fail).unwrap();
    slab.try_tell("new", Event::Note(1)).unwrap();
    // Whoever looks finds both in the key's own queue.
    assert_eq!(world.node("root/pods/new").unwrap().depth, 2);
    world.expect(&["new awake 1", "new: 1000", "new: 1"]).await;
    let mut key = slab.key("web");
    // The more was handled without hurry, the more is taken at a time.
    for note in 0..100 {
        key.tell(Event::Note(note)).await.unwrap();
    }
    // Two wait at most, so the others come while those are handled.
    for event in [Event::Fail, Event::Note(101), Event::Note(102), Event::End, Event::Note(103)] {
        key.tell(event).await.unwrap();
    }
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != "web: 103") {
        let text = world.hear().await;
        if text.starts_with("web: ") {
            heard.push(text);
        }
    }
    let expected: Vec<_> =
        (0..100).chain([1_000, 101, 102, 103]).map(|note| format!("web: {note}")).collect();
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_tell_the_same_keys_at_once_arrives_whole_and_in_the_order_of_each() {
    const EACH: u32 = 80;
    let (mut world, slab) = world(WhenFull::Wait).await;
    let mut senders = Vec::new();
    for sender in 0..3 {
        let mut keys = ["a", "b"].map(|key| slab.key(key));
        senders.push(tokio::runtime::Handle::current().spawn(async move {
            for note in 0..EACH {
                for key in &mut keys {
                    key.tell(Event::Note(sender * EACH + note)).await.unwrap();
                }
            }
        }));
    }
    let mut heard = BTreeMap::<_, Vec<u32>>::new();
    let mut count = 0;
    while count < 2 * 3 * EACH {
        let text = world.hear().await;
        if let Some((key, note)) = text.split_once(": ") {
            let note: u32 = note.parse().unwrap();
            heard.entry((key.to_owned(), note / EACH)).or_default().push(note % EACH);
            count += 1;
        }
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(heard.len(), 6);
    assert!(heard.into_values().all(|notes| notes.into_iter().eq(0..EACH)));
}
