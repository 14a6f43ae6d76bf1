//! The public surface of the runtime, with real actors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod faults;
mod groups;
mod hosts;
mod inspect;
mod links;
mod mailboxes;
mod monitors;
mod published;
mod slabs;
mod slow;
mod supervision;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{
    Backoff, ChildSpec, Correlation, Effects, ExitReason, Intensity, Machine, Mono, OnLimit, Rng,
    Turn,
};
use actors_runtime::{Answers, Child, Driver, Inbox, Node, NodeState, Root, System, Tree};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Does what it is told, and says what it saw.
struct Probe;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Event {
    Note(u32),
    Ask(Correlation),
    Boom,
    Fail,
    Timer { at: Mono, note: u32 },
    Work,
    WorkDone,
    End,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Effect {
    Say(u32),
    Answer(Correlation),
    Fail,
    Timer { at: Mono, note: u32 },
    Work,
    End,
}

impl Machine for Probe {
    type Event = Event;
    type Effect = Effect;
    type View = ();

    fn handle(&mut self, _turn: Turn<'_>, event: Event, out: &mut Effects<Effect>) {
        match event {
            Event::Note(note) => out.push(Effect::Say(note)),
            Event::Ask(number) => out.push(Effect::Answer(number)),
            Event::Boom => panic!("boom"),
            Event::Fail => out.push(Effect::Fail),
            Event::Timer { at, note } => out.push(Effect::Timer { at, note }),
            Event::Work => out.push(Effect::Work),
            Event::WorkDone => {}
            Event::End => out.push(Effect::End),
        }
    }
}

/// What the probes of one test tell it: `a#1 up`, `a: 7`, `a down`.
#[derive(Clone)]
struct Said(mpsc::Sender<String>);

impl Said {
    fn say(&self, text: String) {
        self.0.try_send(text).expect("the test reads what the probes say");
    }
}

struct ProbeDriver {
    name: String,
    said: Said,
    answers: Option<Answers<u32>>,
    gate: Option<Arc<Mutex<std::sync::mpsc::Receiver<()>>>>,
}

impl Driver<Probe> for ProbeDriver {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: Effect, inbox: &Inbox<Event>) {
        match effect {
            Effect::Say(note) => self.said.say(format!("{}: {note}", self.name)),
            Effect::Answer(number) => {
                if let Some(answers) = &self.answers {
                    assert!(answers.answer(number, 42));
                }
            }
            Effect::Fail => inbox.end(ExitReason::Error("could not".into())),
            Effect::Timer { at, note } => inbox.send_at(at, Event::Note(note)),
            Effect::Work => {
                let gate = self.gate.clone().expect("a gate for work");
                let said = self.said.clone();
                inbox.spawn_blocking(move || {
                    said.say("working".into());
                    gate.lock().unwrap().recv().unwrap();
                    Event::WorkDone
                });
            }
            Effect::End => inbox.end(ExitReason::Normal),
        }
    }
}

/// A system, and what its probes say.
struct World {
    system: System,
    said: Said,
    heard: mpsc::Receiver<String>,
    /// The inbox of each probe's newest life, by path.
    inboxes: Inboxes,
}

type Inboxes = Arc<Mutex<BTreeMap<String, Inbox<Event>>>>;

const SOON: Duration = Duration::from_secs(20);

impl World {
    fn new() -> Self {
        let (sender, heard) = mpsc::channel(1_000);
        let system = System::new(Rng::from_number(1));
        Self { system, said: Said(sender), heard, inboxes: Inboxes::default() }
    }

    fn probe(&self, name: &str) -> Child {
        let (said, name) = (self.said.clone(), name.to_owned());
        let inboxes = Arc::clone(&self.inboxes);
        Child::machine(move |start| {
            inboxes.lock().unwrap().insert(start.path.to_string(), start.inbox.clone());
            let (said, name) = (said.clone(), name.clone());
            async move {
                said.say(format!("{name}#{} up", start.incarnation.0));
                Ok((Probe, ProbeDriver { name, said, answers: None, gate: None }))
            }
        })
    }

    /// The next thing that a probe says.
    async fn hear(&mut self) -> String {
        let heard = tokio::time::timeout(SOON, self.heard.recv()).await;
        heard.expect("a probe says something in time").expect("probes live")
    }

    async fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.hear().await, *text);
        }
    }

    async fn tell(&self, path: &str, event: Event) {
        self.system.actor::<Event>(path).tell(event).await.expect("the actor takes it");
    }

    fn node(&self, path: &str) -> Option<Node> {
        self.system.tree().into_iter().find(|node| node.path == path)
    }

    async fn run(&self, tree: Tree) -> Root {
        self.system.run(tree).await.expect("a right tree")
    }
}

async fn ended(root: &Root) -> ExitReason {
    tokio::time::timeout(SOON, root.ended()).await.expect("the tree ends in time")
}

fn tree(name: &str, restarts: u32, on_limit: OnLimit) -> Tree {
    Tree::new(name, Intensity { restarts, period: Duration::from_secs(60) }, on_limit)
}

fn spec(name: &str) -> ChildSpec {
    let quick = Backoff {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(2),
        jitter_percent: 0,
    };
    ChildSpec::permanent(name).backoff(quick)
}

/// What a test reads of a node: its state, its life, and how its last life ended.
fn brief(node: Option<Node>) -> Option<(NodeState, u64, Option<ExitReason>)> {
    node.map(|node| (node.state, node.incarnation.0, node.last_exit))
}
