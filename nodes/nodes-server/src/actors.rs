//! The actors of all nodes, as operators look at and handle them through any server.
//!
//! Way in: [`ClusterActors`].  Never: a wait for a node that is not heard, unless it is the one that is
//! asked for: its link may be up, and what keeps it from being heard be what the operator looks for.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;
use actors_object::{ApiError, GroupResource, timefmt};
use actors_runtime::{Clock, DeadLetter, Details, Fault, Node, NodeState, OrderError, System};
use futures_util::future::join_all;
use mesh_member::MemberState;
use nodes_api::{ActorOrder, ActorPlace, ActorsPort};
use nodes_client::Later;
use nodes_mesh::{ActorsAnswer, ActorsQuestion, ask_actors, ask_tree};
use serde_json::{Value, json};
use tokio::time::interval;

use crate::{ServerConfig, ServerMesh};

/// How long `top` looks on.
const WATCHED: Duration = Duration::from_secs(1);

/// The trees of this process and, over the mesh, of all others.
pub(crate) struct ClusterActors {
    system: System,
    node: String,
    mesh: Option<ServerMesh>,
}

/// What was seen of the nodes, and why not of some.
struct Forest {
    actors: Vec<(String, Node)>,
    missing: BTreeMap<String, String>,
    at: Mono,
}

impl ClusterActors {
    pub(crate) fn new(system: &System, config: &ServerConfig) -> Self {
        Self { system: system.clone(), node: config.node.clone(), mesh: config.mesh.clone() }
    }

    /// All nodes that are known, with whether they are heard.
    fn known(&self) -> BTreeMap<String, bool> {
        let mut known = BTreeMap::new();
        if let Some(mesh) = &self.mesh {
            let view = mesh.membership.view();
            let view = view.borrow();
            let heard = |state: &MemberState| *state == MemberState::Alive;
            known.extend(view.iter().map(|one| (one.info.node.clone(), heard(&one.state))));
        }
        known.insert(self.node.clone(), true);
        known
    }

    async fn forest(&self, only: Option<&str>) -> Result<Forest, ApiError> {
        let mut known = self.known();
        known.retain(|node, _| only.is_none_or(|only| node == only));
        if let (Some(only), true) = (only, known.is_empty()) {
            return Err(no_node(only));
        }
        let answers =
            known.iter().map(|(node, is_heard)| self.tree_of(node, *is_heard || only.is_some()));
        let answers = join_all(answers).await;
        let mut forest =
            Forest { actors: Vec::new(), missing: BTreeMap::new(), at: Clock.now().mono };
        for (node, answer) in known.into_keys().zip(answers) {
            match answer {
                Ok(tree) => {
                    forest.actors.extend(tree.into_iter().map(|actor| (node.clone(), actor)));
                }
                Err(why) => drop(forest.missing.insert(node, why)),
            }
        }
        match (only, forest.missing.first_key_value()) {
            (Some(_), Some((node, why))) => Err(unreachable(node, why)),
            _ => Ok(forest),
        }
    }

    async fn tree_of(&self, node: &str, is_asked: bool) -> Result<Vec<Node>, String> {
        match &self.mesh {
            _ if node == self.node => Ok(self.system.tree()),
            Some(mesh) if is_asked => ask_tree(&mesh.mesh, node).await,
            _ => Err("it is not heard".to_owned()),
        }
    }

    async fn ask(
        &self,
        place: ActorPlace,
        question: fn(String) -> ActorsQuestion,
    ) -> Result<(String, ActorsAnswer), ApiError> {
        let node = place.node.unwrap_or_else(|| self.node.clone());
        if !self.known().contains_key(&node) {
            return Err(no_node(&node));
        }
        let question = question(place.path);
        let answer = match &self.mesh {
            _ if node == self.node => Ok(question.answer(&self.system)),
            Some(mesh) => ask_actors(&mesh.mesh, &node, &question).await,
            None => Err("this server knows no others".to_owned()),
        };
        match answer.map_err(|why| unreachable(&node, &why))? {
            ActorsAnswer::Refused(OrderError::NotFound(path)) => {
                let path = format!("{node}:{path}");
                Err(ApiError::not_found(&GroupResource::new("", "actors"), &path))
            }
            ActorsAnswer::Refused(OrderError::WrongKind(path)) => {
                let why = "supervisors, services and parts cannot be held back; machines (dedicated), slabs and keys can";
                Err(ApiError::bad_request(format!("{node}:{path}: {why}")))
            }
            ActorsAnswer::Refused(error) => Err(ApiError::bad_request(format!("{node}:{error}"))),
            answer => Ok((node, answer)),
        }
    }

    async fn told_tree(&self, node: Option<String>) -> Result<Value, ApiError> {
        let forest = self.forest(node.as_deref()).await?;
        let actors: Vec<_> = forest.actors.iter().map(|(node, actor)| told(node, actor)).collect();
        Ok(json!({ "actors": actors, "missing": forest.missing }))
    }

    async fn told_top(&self, node: Option<String>) -> Result<Value, ApiError> {
        let mut ticks = interval(WATCHED);
        ticks.tick().await;
        let before = self.forest(node.as_deref()).await?;
        ticks.tick().await;
        let after = self.forest(node.as_deref()).await?;
        Ok(json!({ "actors": busiest(&before, &after), "missing": after.missing }))
    }

    /// One actor, with what it did within the second between two looks.
    async fn told_one(&self, place: ActorPlace) -> Result<Value, ApiError> {
        let (_, before) = self.shown(place.clone()).await?;
        let began = Clock.now().mono;
        let mut ticks = interval(WATCHED);
        ticks.tick().await;
        ticks.tick().await;
        let (node, details) = self.shown(place).await?;
        let is_same = before.node.incarnation == details.node.incarnation;
        let then = if is_same { work(&before.node) } else { (0, 0) };
        let mut actor = told(&node, &details.node);
        add_rates(&mut actor, gained(work(&details.node), then), micros(began, Clock.now().mono));
        let children: Vec<_> = details.children.iter().map(|child| told(&node, child)).collect();
        Ok(json!({
            "actor": actor,
            "children": children,
            "deadLetters": details.dead_letters.iter().map(told_letter).collect::<Vec<_>>(),
        }))
    }

    async fn shown(&self, place: ActorPlace) -> Result<(String, Box<Details>), ApiError> {
        match self.ask(place, ActorsQuestion::Show).await? {
            (node, ActorsAnswer::Shown(details)) => Ok((node, details)),
            (node, _) => Err(wrong_answer(&node)),
        }
    }

    async fn obey(&self, place: ActorPlace, order: ActorOrder) -> Result<Value, ApiError> {
        let path = place.path.clone();
        let (question, done): (fn(String) -> ActorsQuestion, _) = match order {
            ActorOrder::End(Fault::Kill) => {
                (|path| ActorsQuestion::Inject(path, Fault::Kill), "killed")
            }
            ActorOrder::End(Fault::Panic) => {
                (|path| ActorsQuestion::Inject(path, Fault::Panic), "panics")
            }
            ActorOrder::End(Fault::Error) => {
                (|path| ActorsQuestion::Inject(path, Fault::Error), "fails")
            }
            ActorOrder::Suspend => (ActorsQuestion::Suspend, "suspended"),
            ActorOrder::Resume => (ActorsQuestion::Resume, "resumed"),
        };
        let (node, answer) = self.ask(place, question).await?;
        match answer {
            ActorsAnswer::Done => Ok(json!({ "node": node, "path": path, "done": done })),
            _ => Err(wrong_answer(&node)),
        }
    }
}

impl ActorsPort for ClusterActors {
    fn tree(&self, node: Option<String>) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(self.told_tree(node))
    }

    fn top(&self, node: Option<String>) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(self.told_top(node))
    }

    fn show(&self, place: ActorPlace) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(self.told_one(place))
    }

    fn order(&self, place: ActorPlace, order: ActorOrder) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(self.obey(place, order))
    }
}

/// Who does not run as it should, and behind them who was at work between two looks, the busiest first.
fn busiest(before: &Forest, after: &Forest) -> Vec<Value> {
    let id = |(node, actor): &(String, Node)| (node.clone(), actor.path.clone(), actor.incarnation);
    let seen: BTreeMap<_, _> =
        before.actors.iter().map(|place| (id(place), work(&place.1))).collect();
    let mut rows: Vec<_> = after
        .actors
        .iter()
        .filter_map(|place| {
            // A life that began meanwhile did all its work meanwhile.
            let then = seen.get(&id(place)).copied().unwrap_or_default();
            let (busy, done) = gained(work(&place.1), then);
            let is_held = is_held(place.1.state);
            (is_held || busy + done > 0).then_some(((is_held, busy, done), place))
        })
        .collect();
    rows.sort_by_key(|(gained, _)| std::cmp::Reverse(*gained));
    let micros = micros(before.at, after.at);
    rows.into_iter()
        .map(|((_, busy, done), (node, actor))| {
            let mut row = told(node, actor);
            add_rates(&mut row, (busy, done), micros);
            row
        })
        .collect()
}

/// Whether somebody has to let it go on, or it waits for its next start.
fn is_held(state: NodeState) -> bool {
    matches!(state, NodeState::Suspended | NodeState::Parked | NodeState::Waiting)
}

/// Microseconds of work, and events handled.
fn work(actor: &Node) -> (u64, u64) {
    (actor.busy_us, actor.processed)
}

/// What was done since then; all of it by a key that rested and woke meanwhile.
fn gained((busy, done): (u64, u64), then: (u64, u64)) -> (u64, u64) {
    (busy.checked_sub(then.0).unwrap_or(busy), done.checked_sub(then.1).unwrap_or(done))
}

fn micros(from: Mono, to: Mono) -> u64 {
    u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX).max(1)
}

fn add_rates(row: &mut Value, (busy, done): (u64, u64), micros: u64) {
    row["busyPermille"] = json!(busy.saturating_mul(1_000) / micros);
    row["messagesPerSecond"] = json!(done.saturating_mul(1_000_000) / micros);
}

/// An actor with names as the other answers of this API have them.
fn told(node: &str, actor: &Node) -> Value {
    let crash = actor.last_crash.as_ref().map(|crash| {
        json!({
            "at": timefmt::seconds(crash.at),
            "life": crash.incarnation,
            "cause": crash.reason.to_string(),
        })
    });
    json!({
        "node": node,
        "path": actor.path,
        "address": actor.address,
        "kind": actor.kind,
        "state": actor.state,
        "incarnation": actor.incarnation,
        "restarts": actor.restarts,
        "mailboxDepth": actor.depth,
        "mailboxCapacity": actor.capacity,
        "refused": actor.refused,
        "busyUs": actor.busy_us,
        "processed": actor.processed,
        "slow": actor.slow.count,
        "slowestUs": actor.slow.longest_us,
        "lastExit": actor.last_exit.as_ref().map(ToString::to_string),
        "lastCrash": crash,
        "about": actor.about,
    })
}

fn told_letter(letter: &DeadLetter) -> Value {
    json!({
        "at": timefmt::seconds(letter.at),
        "path": letter.path,
        "event": letter.event,
        "reason": letter.reason,
        "trace": letter.trace,
    })
}

fn no_node(node: &str) -> ApiError {
    ApiError::not_found(&GroupResource::new("", "nodes"), node)
}

fn unreachable(node: &str, why: &str) -> ApiError {
    ApiError::service_unavailable(format!("node {node} cannot be reached: {why}"))
}

fn wrong_answer(node: &str) -> ApiError {
    ApiError::internal(format!("node {node} answered something else than it was asked"))
}

#[cfg(test)]
mod tests {
    use actors_core::{Incarnation, Rng};
    use actors_runtime::NodeKind;

    use super::*;

    fn actor(name: &str, life: u64, (busy_us, processed): (u64, u64)) -> (String, Node) {
        let node = Node {
            path: format!("starling/{name}"),
            address: None,
            kind: NodeKind::Dedicated,
            state: NodeState::Running,
            incarnation: Incarnation(life),
            restarts: life - 1,
            depth: 0,
            capacity: 1,
            refused: 0,
            busy_us,
            processed,
            slow: actors_runtime::Slow::default(),
            last_exit: None,
            last_crash: None,
            about: None,
        };
        ("one".to_owned(), node)
    }

    #[test]
    fn who_was_busiest_comes_first_and_the_idle_not_at_all() {
        let forest = |at, actors| Forest { actors, missing: BTreeMap::new(), at: Mono(at) };
        let before = forest(
            0,
            ["a", "b", "idle"]
                .into_iter()
                .zip([(90, 9), (1_000, 10), (5, 5)])
                .map(|(name, work)| actor(name, 1, work))
                .collect(),
        );
        let actors = vec![
            actor("a", 1, (200_090, 1_009)),
            actor("b", 2, (500_000, 20)),
            actor("idle", 1, (5, 5)),
            ("one".to_owned(), Node { state: NodeState::Suspended, ..actor("held", 1, (5, 5)).1 }),
        ];
        let rows = busiest(&before, &forest(2_000_000_000, actors));
        let brief: Vec<_> = rows
            .iter()
            .map(|row| {
                format!("{} {} {}", row["path"], row["busyPermille"], row["messagesPerSecond"])
            })
            .collect();
        let held = "\"starling/held\" 0 2";
        assert_eq!(brief, [held, "\"starling/b\" 250 10", "\"starling/a\" 100 500"]);
    }

    #[tokio::test]
    async fn alone_it_knows_itself_and_nobody_else() {
        let system = System::new(Rng::from_number(1));
        let actors = ClusterActors { system, node: "one".to_owned(), mesh: None };
        assert_eq!(actors.tree(None).await, Ok(json!({ "actors": [], "missing": {} })));
        assert_eq!(actors.tree(Some("two".to_owned())).await.unwrap_err().code, 404);
        let place = ActorPlace { node: None, path: "none".to_owned() };
        let error = actors.order(place, ActorOrder::Suspend).await.unwrap_err();
        assert!(error.message.contains("one:none"), "{}", error.message);
    }
}
