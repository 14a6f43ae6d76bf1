//! One figure of the runtime, measured: `measure ROW` prints a number; `cargo xtask bench actors` runs it.
//!
//! Way in: [`ROWS`].  Everything is reached as any program reaches it: by references, through bounded
//! mailboxes, with panic barriers and counters.
#![expect(
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    reason = "a program that prints its figure, and stops at whatever is not as it must be"
)]

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::{
    Backoff, ChildSpec, Correlation, Effects, Intensity, Machine, MailboxPolicy, Mono, OnLimit,
    Rng, Turn,
};
use actors_runtime::{
    Answers, Asks, Child, Clock, Driver, Inbox, KeyInbox, Keyed, Root, SlabRef, SlabSpec, System,
    Tree,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

// The allocator that the product ships with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of a throughput row.
const MESSAGES: u64 = 3_000_000;

/// Actors of a memory or spawn row.
const ACTORS: u64 = 1_000_000;

/// Actors that wake before the program is told.
const WAVE: u64 = 10_000;

/// Actors of one round of churn.
const CHURN: u64 = 300_000;

/// How many times others are told something while keys are busy, once a millisecond.
const PROBES: usize = 3_000;

/// How long a slow key handles each message.
const SLOW: Duration = Duration::from_millis(20);

/// Counts what it is told; says so when it has heard as much as it was to hear.
struct Counter {
    heard: u64,
    until: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Event {
    Tick,
    Ask(Correlation),
    Boom,
    Rest,
    /// Takes long.
    Spin,
    /// Told at this instant.
    Due(Mono),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Effect {
    Done,
    Answer(Correlation),
    /// What was told at this instant.
    Handled(Mono),
}

impl Machine for Counter {
    type Event = Event;
    type Effect = Effect;
    type View = ();

    fn handle(&mut self, _turn: Turn<'_>, event: Event, out: &mut Effects<Effect>) {
        match event {
            Event::Tick => {
                self.heard += 1;
                if self.heard == self.until {
                    out.push(Effect::Done);
                }
            }
            Event::Ask(number) => out.push(Effect::Answer(number)),
            Event::Boom => out.push(Effect::Done),
            Event::Rest => self.until = 0,
            Event::Due(at) => out.push(Effect::Handled(at)),
            Event::Spin => {
                let began = Clock.mono();
                while Clock.mono() - began < SLOW {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Tells the program what its actors did.
struct Teller {
    done: mpsc::Sender<()>,
    answers: Option<Answers<u64>>,
    fails: bool,
}

impl Driver<Counter> for Teller {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: Effect, inbox: &Inbox<Event>) {
        match effect {
            Effect::Done if self.fails => {
                inbox.end(actors_core::ExitReason::Error("asked to fail".to_owned()));
            }
            Effect::Done => self.done.try_send(()).expect("the program waits"),
            Effect::Answer(number) => {
                if let Some(answers) = &self.answers {
                    answers.answer(number, number.0);
                }
            }
            Effect::Handled(at) => panic!("told at {at:?}, but nobody measures that here"),
        }
    }
}

/// Keyed counters; at rest each is a record of 64 bytes here, as a store would keep it.
struct Counters {
    done: mpsc::Sender<()>,
    until: u64,
    /// How many are still to wake for the first time; the program is told of each wave.
    activations: AtomicU64,
    rests: bool,
    records: Mutex<BTreeMap<Box<str>, [u8; 64]>>,
    delays: Delays,
}

/// From telling to handling.
type Delays = Arc<Mutex<Vec<Duration>>>;

impl Keyed for Counters {
    type Machine = Counter;
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn activate(&self, inbox: &KeyInbox<Event>) -> Option<Counter> {
        if self.rests {
            let mut records = self.records.lock().expect("nobody panics with it");
            records.insert(inbox.key().into(), [0; 64]);
        }
        if self.activations.fetch_sub(1, Ordering::Relaxed).wrapping_sub(1).is_multiple_of(WAVE) {
            self.done.try_send(()).expect("the program waits");
        }
        Some(Counter { heard: 0, until: self.until })
    }

    fn submit(&self, effect: Effect, _inbox: &KeyInbox<Event>) {
        if let Effect::Handled(at) = effect {
            self.delays.lock().expect("nobody panics with it").push(Clock.mono() - at);
        }
        if let Effect::Done | Effect::Handled(_) = effect {
            self.done.try_send(()).expect("the program waits");
        }
    }

    fn is_at_rest(&self, machine: &Counter) -> bool {
        self.rests || machine.until == 0
    }
}

fn patient() -> Intensity {
    Intensity { restarts: 900, period: Duration::from_secs(3_600) }
}

fn spec(name: &str) -> ChildSpec {
    let at_once =
        Backoff { initial: Duration::ZERO, max: Duration::from_nanos(1), jitter_percent: 0 };
    ChildSpec::permanent(name).mailbox(MailboxPolicy::wait(8_192)).backoff(at_once)
}

fn counter(until: u64, done: &mpsc::Sender<()>, answers: Option<&Asks<u64>>) -> Child {
    let (done, asks) = (done.clone(), answers.cloned());
    Child::machine(move |_| {
        let answers = asks.as_ref().map(Asks::answers);
        let teller = Teller { done: done.clone(), answers, fails: false };
        async move { Ok((Counter { heard: 0, until }, teller)) }
    })
}

struct Bench {
    system: System,
    done: mpsc::Sender<()>,
    dones: mpsc::Receiver<()>,
    delays: Delays,
}

impl Bench {
    fn new() -> Self {
        let (done, dones) = mpsc::channel(100_000);
        Self { system: System::new(Rng::from_number(1)), done, dones, delays: Delays::default() }
    }

    async fn slab(&self, until: u64, activations: u64, rests: bool) -> (Root, SlabRef<Event>) {
        let spec_of_slab = SlabSpec {
            kind: "counter".into(),
            mailbox: MailboxPolicy::wait(8_192),
            keys_max: 2_000_000,
            intensity: patient(),
            backoff: spec("key").backoff,
        };
        let (done, delays) = (self.done.clone(), Arc::clone(&self.delays));
        let child = Child::slab(spec_of_slab, move |_| {
            let (done, records, delays) = (done.clone(), Mutex::default(), Arc::clone(&delays));
            let activations = AtomicU64::new(activations);
            async move { Ok(Counters { done, until, activations, rests, records, delays }) }
        });
        let tree = Tree::new("bench", patient(), OnLimit::Escalate).child(spec("slab"), child);
        let root = self.system.run(tree).await.expect("a right tree");
        let slab = self.system.slab("bench/slab");
        slab.ready().await.expect("it runs");
        (root, slab)
    }

    async fn wait(&mut self, count: u64) {
        for _ in 0..count {
            self.dones.recv().await.expect("an actor tells");
        }
    }
}

/// Millions a second.
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64() / 1e6
}

fn rss() -> f64 {
    let text = fs::read_to_string("/proc/self/statm").expect("this process is known");
    let pages = text.split(' ').nth(1).and_then(|word| word.parse::<f64>().ok());
    pages.expect("a number of pages") * 4_096.0
}

fn keys(count: u64) -> Vec<String> {
    (0..count).map(|number| format!("default/web-{number:07}")).collect()
}

async fn tell_dedicated() -> f64 {
    let mut bench = Bench::new();
    let tree = Tree::new("bench", patient(), OnLimit::Escalate)
        .child(spec("one"), counter(MESSAGES, &bench.done, None));
    let _root = bench.system.run(tree).await.expect("a right tree");
    let actor = bench.system.actor::<Event>("bench/one");
    actor.ready().await.expect("it runs");
    let began = Clock.mono();
    for _ in 0..MESSAGES {
        actor.tell(Event::Tick).await.expect("it takes messages");
    }
    bench.wait(1).await;
    rate(MESSAGES, Clock.mono() - began)
}

async fn tell_slab() -> f64 {
    const KEYS: u64 = 1_000;
    let mut bench = Bench::new();
    let (_root, slab) = bench.slab(MESSAGES / KEYS, 0, false).await;
    let mut keys: Vec<_> = keys(KEYS).iter().map(|key| slab.key(key)).collect();
    let began = Clock.mono();
    for _ in 0..MESSAGES / KEYS {
        for key in &mut keys {
            key.tell(Event::Tick).await.expect("it takes messages");
        }
    }
    bench.wait(KEYS).await;
    rate(MESSAGES, Clock.mono() - began)
}

/// Nanoseconds of the middle one of many questions.
async fn ask() -> f64 {
    const ASKS: usize = 200_000;
    let bench = Bench::new();
    let asks = Asks::new(16);
    let tree = Tree::new("bench", patient(), OnLimit::Escalate)
        .child(spec("one"), counter(0, &bench.done, Some(&asks)));
    let _root = bench.system.run(tree).await.expect("a right tree");
    let actor = bench.system.actor::<Event>("bench/one");
    actor.ready().await.expect("it runs");
    let mut took = Vec::with_capacity(ASKS);
    for _ in 0..ASKS {
        let began = Clock.mono();
        asks.ask(&actor, Duration::from_secs(5), Event::Ask).await.expect("an answer");
        took.push((Clock.mono() - began).as_nanos());
    }
    took.sort_unstable();
    took[ASKS / 2] as f64
}

async fn spawn() -> f64 {
    let mut bench = Bench::new();
    let (_root, slab) = bench.slab(u64::MAX, ACTORS, false).await;
    let keys = keys(ACTORS);
    let began = Clock.mono();
    for key in &keys {
        slab.tell(key, Event::Tick).await.expect("it takes messages");
    }
    bench.wait(ACTORS / WAVE).await;
    rate(ACTORS, Clock.mono() - began)
}

async fn bytes(rests: bool) -> f64 {
    let mut bench = Bench::new();
    let (_root, slab) = bench.slab(u64::MAX, ACTORS, rests).await;
    let before = rss();
    for number in 0..ACTORS {
        let key = format!("default/web-{number:07}");
        slab.tell(&key, Event::Tick).await.expect("it takes messages");
        // Wave by wave, so that what waits is not measured.
        if (number + 1).is_multiple_of(WAVE) {
            bench.wait(1).await;
        }
    }
    // The allocator gives back what is free a moment later.
    drop(tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await);
    (rss() - before) / ACTORS as f64
}

async fn bytes_awake() -> f64 {
    bytes(false).await
}

async fn bytes_at_rest() -> f64 {
    bytes(true).await
}

/// Thousands of restarts a second: many supervisors, each with one child that fails again and again.
async fn restart() -> f64 {
    const SUPERVISORS: u64 = 1_000;
    const RESTARTS: u64 = 50;
    let mut bench = Bench::new();
    let mut tree = Tree::new("bench", patient(), OnLimit::Escalate);
    let counts: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    for number in 0..SUPERVISORS {
        let (done, counts) = (bench.done.clone(), Arc::clone(&counts));
        let child = Child::machine(move |start| {
            let (done, inbox) = (done.clone(), start.inbox.clone());
            let lives = {
                let mut counts = counts.lock().expect("nobody panics with it");
                let lives = counts.entry(start.path.to_string()).or_default();
                *lives += 1;
                *lives
            };
            async move {
                if lives <= RESTARTS {
                    inbox.send(Event::Boom);
                } else {
                    done.try_send(()).expect("the program waits");
                }
                let teller = Teller { done, answers: None, fails: true };
                Ok((Counter { heard: 0, until: 0 }, teller))
            }
        });
        let group = Tree::new("group", patient(), OnLimit::Escalate).child(spec("child"), child);
        tree = tree.child(spec(&format!("group-{number}")), Child::supervisor(group));
    }
    let began = Clock.mono();
    let _root = bench.system.run(tree).await.expect("a right tree");
    bench.wait(SUPERVISORS).await;
    rate(SUPERVISORS * RESTARTS, Clock.mono() - began) * 1_000.0
}

/// How much more memory is resident after the rounds 4 to 6 of as many new actors than after the first
/// three, the most of each, in percent. What the allocator keeps differs from round to round.
async fn churn() -> f64 {
    const ROUNDS: u64 = 6;
    let mut after = Vec::new();
    let mut bench = Bench::new();
    let (_root, slab) = bench.slab(u64::MAX, (ROUNDS + 1) * CHURN, false).await;
    for round in 0..ROUNDS {
        for event in [Event::Tick, Event::Rest] {
            for number in 0..CHURN {
                let key = format!("round-{round}/web-{number:07}");
                slab.tell(&key, event.clone()).await.expect("it takes messages");
            }
            // Handled last, too: a list of all keys takes more memory than they do.
            slab.tell("last", Event::Boom).await.expect("it takes messages");
            bench.wait(if matches!(event, Event::Tick) { CHURN / WAVE + 1 } else { 1 }).await;
        }
        slab.tell("last", Event::Rest).await.expect("it takes messages");
        while bench.system.tree().len() > 2 {
            tokio::task::yield_now().await;
        }
        after.push(rss());
    }
    let most = |rounds: &[f64]| rounds.iter().copied().fold(0.0, f64::max);
    (most(&after[3..]) / most(&after[..3]) - 1.0) * 100.0
}

/// How late other keys of a slab handle a message, in milliseconds at p99, while one key is told as much
/// as it takes and another one is slow with each of its messages, without a pause.
async fn delay() -> f64 {
    let mut bench = Bench::new();
    let (_root, slab) = bench.slab(u64::MAX, 0, false).await;
    let runtime = tokio::runtime::Handle::current();
    for (key, event) in [("flooded", Event::Tick), ("slow", Event::Spin)] {
        let mut key = slab.key(key);
        let flood = async move {
            while key.tell(event.clone()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        // It ends with the program.
        drop(runtime.spawn(flood));
    }
    let mut others: Vec<_> = keys(100).iter().map(|key| slab.key(key)).collect();
    let probe = move || {
        // A thread of its own: what holds up a worker of the runtime does not hold up the questions.
        for number in 0..PROBES {
            std::thread::park_timeout(Duration::from_millis(1));
            let due = Event::Due(Clock.mono());
            others[number % 100].try_tell(due).expect("it takes messages");
        }
    };
    let probes = std::thread::Builder::new().spawn(probe).expect("a thread");
    bench.wait(PROBES as u64).await;
    probes.join().expect("all are sent");
    let mut took = std::mem::take(&mut *bench.delays.lock().expect("nobody panics with it"));
    took.sort_unstable();
    took[PROBES * 99 / 100].as_secs_f64() * 1_000.0
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let row = std::env::args().nth(1).unwrap_or_default();
    // The main future is on no worker: what is measured runs in a task.
    let figure = tokio::runtime::Handle::current().spawn(async move {
        match row.as_str() {
            "tell-dedicated" => tell_dedicated().await,
            "tell-slab" => tell_slab().await,
            "ask" => ask().await,
            "spawn" => spawn().await,
            "bytes-awake" => bytes_awake().await,
            "bytes-at-rest" => bytes_at_rest().await,
            "restart" => restart().await,
            "churn" => churn().await,
            "delay" => delay().await,
            other => panic!("no such row: {other}"),
        }
    });
    println!("{}", figure.await.expect("the row is measured"));
}
