//! The actors of one machine, looked at and handled by servers for operators.
//!
//! Way in: [`serve_actors`] on every machine, [`ask_actors`], [`ask_tree`].  Bounds: a tree travels in as many answers
//! as it takes, none larger than a frame.

use std::time::Duration;

use actors_runtime::{Details, Fault, Node, OrderError, System};
use bytes::Bytes;
use mesh_quic::{Ask, Handler, Later, Mesh};
use mesh_wire::{Lane, Peer, Service, TraceContext};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::wire;

/// How long a machine may take.
const WITHIN: Duration = Duration::from_secs(2);

/// What a frame's head and the length of the list may take.
const MARGIN: usize = 1024;

/// What is asked of the actors of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActorsQuestion {
    /// All of them but the first so many.
    Tree(usize),
    /// One in full, by its path.
    Show(String),
    /// This one is to end in this way.
    Inject(String, Fault),
    /// This one is to handle no messages.
    Suspend(String),
    /// This one is to go on.
    Resume(String),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActorsAnswer {
    /// Some of them, in the order of the tree, and whether there are more.
    Tree(Vec<Node>, bool),
    /// One in full.
    Shown(Box<Details>),
    /// It was told so.
    Done,
    /// It could not be done.
    Refused(OrderError),
}

impl ActorsQuestion {
    /// What this process answers.
    #[must_use]
    pub fn answer(&self, system: &System) -> ActorsAnswer {
        let done = match self {
            Self::Tree(from) => {
                let mut nodes = system.tree();
                nodes.drain(..(*from).min(nodes.len()));
                return ActorsAnswer::Tree(nodes, false);
            }
            Self::Show(path) => match system.show(path) {
                Ok(details) => return ActorsAnswer::Shown(Box::new(details)),
                Err(error) => Err(error),
            },
            Self::Inject(path, fault) => system.inject(path, *fault),
            Self::Suspend(path) => system.suspend(path),
            Self::Resume(path) => system.resume(path),
        };
        match done {
            Ok(()) => ActorsAnswer::Done,
            Err(error) => ActorsAnswer::Refused(error),
        }
    }
}

/// From now on servers reach the actors of this process.
pub fn serve_actors(mesh: &Mesh, system: System) {
    mesh.serve(Service::ACTORS, Arc::new(Actors(system)));
}

/// What the machine of `node` answers.
///
/// # Errors
/// Why it did not answer, one sentence.
pub async fn ask_actors(
    mesh: &Mesh,
    node: &str,
    question: &ActorsQuestion,
) -> Result<ActorsAnswer, String> {
    let body = wire::encode(question).map_err(|error| error.to_string())?;
    let ask = Ask::new(Lane::Rpc, Service::ACTORS, body, WITHIN);
    let answer = mesh.ask(node, ask).await.map_err(|error| error.to_string())?;
    wire::decode(&answer).map_err(|error| error.to_string())
}

/// All actors of the machine of `node`. One that comes or goes between two answers may be missed or told twice.
///
/// # Errors
/// Why it did not answer, one sentence.
pub async fn ask_tree(mesh: &Mesh, node: &str) -> Result<Vec<Node>, String> {
    let mut all = Vec::new();
    loop {
        match ask_actors(mesh, node, &ActorsQuestion::Tree(all.len())).await? {
            ActorsAnswer::Tree(nodes, has_more) => {
                let is_last = !has_more || nodes.is_empty();
                all.extend(nodes);
                if is_last {
                    return Ok(all);
                }
            }
            _ => return Err("it answered something else".to_owned()),
        }
    }
}

struct Actors(System);

impl Handler for Actors {
    fn ask(&self, from: &Peer, body: Bytes, _: TraceContext) -> Later<Result<Bytes, String>> {
        let answer = answer(&self.0, &body);
        tracing::debug!(%from, "asked for actors");
        Box::pin(async { answer })
    }
}

fn answer(system: &System, body: &[u8]) -> Result<Bytes, String> {
    let question: ActorsQuestion = wire::decode(body).map_err(|error| error.to_string())?;
    let mut answer = question.answer(system);
    loop {
        let bytes = wire::encode(&answer).map_err(|error| error.to_string())?;
        if bytes.len() + MARGIN <= Lane::Rpc.body_len_max() {
            return Ok(bytes);
        }
        match &mut answer {
            ActorsAnswer::Tree(nodes, has_more) => {
                nodes.truncate(nodes.len() / 2);
                *has_more = true;
            }
            ActorsAnswer::Shown(details) if !details.children.is_empty() => {
                details.children.truncate(details.children.len() / 2);
            }
            _ => return Err("the answer is too large for a frame".to_owned()),
        }
    }
}
