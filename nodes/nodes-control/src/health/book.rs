//! What the machine remembers of nodes, and the plan that follows from it.
//!
//! Way in: [`Book::hear`] on every server, [`Book::plan`] where the shards are held.  Never: a write;
//! [`super::machine`] sends the plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_controller::{EventType, Plan, World};
use actors_controllers::{
    dead_nodes::{self, Silence},
    kinds::NODE,
};
use actors_core::{Mono, Now};
use actors_object::Object;

use super::{NodeWord, Said, Words, brake::Brake, fence, marks};

/// A node that left in good order and is not back after this time counts as dead. A restart takes
/// less.
pub const LEFT_AFTER: Duration = Duration::from_secs(5);
/// A node of which membership has no word for so long counts as dead: all servers were started
/// anew, and it was not.
pub const UNHEARD_AFTER: Duration = Duration::from_secs(15);

/// What is remembered of one node.
#[derive(Debug, Clone)]
struct Page {
    /// The last word; `None`: there is none.
    word: Option<NodeWord>,
    /// Since when without a break.
    since: Mono,
    /// Whether its death was let through the brake.
    passed: bool,
    /// Whether it was said that it was not.
    is_told: bool,
    /// Whether people were told of this word by this server.
    is_announced: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pages: BTreeMap<String, Page>,
    brake: Brake,
    fences: fence::Watch,
    /// Nodes that fenced pods are bound to and that may be gone.
    pub(super) vanished: Vec<String>,
    next: Option<Mono>,
}

impl Book {
    /// What should be written now.
    pub(super) fn plan(
        &mut self,
        words: &Words,
        world: &dyn World,
        now: Now,
    ) -> (Plan, Option<Mono>) {
        let mut plan = Plan::default();
        self.next = None;
        for node in &world.list(&NODE, None) {
            self.announce(node, words.nodes.get(node.name()), &mut plan);
            self.plan_node(node, words, now, &mut plan);
        }
        self.watch(world, now);
        let due = self.fences.end_pods(world, now, &mut plan);
        due.into_iter().for_each(|due| self.look_again(due));
        (plan, self.next)
    }

    /// Sees which nodes are dead, so that time counts for their fenced pods; also where nothing
    /// may be planned.
    pub(super) fn watch(&mut self, world: &dyn World, now: Now) {
        let vanished = std::mem::take(&mut self.vanished);
        self.fences.look(world, &vanished, now);
    }

    /// Sees what is said of each node, and since when; also where nothing may be planned, so that a
    /// server that begins to lead knows for how long it was said.
    pub(super) fn hear(&mut self, words: &Words, world: &dyn World, now: Now) {
        let nodes = world.list(&NODE, None);
        let names: BTreeSet<&str> = nodes.iter().map(|node| node.name()).collect();
        self.pages.retain(|name, _| names.contains(name.as_str()));
        for name in names {
            let word = words.nodes.get(name).map(|said| said.word);
            let (passed, is_told, is_announced) = (false, false, false);
            let fresh = Page { word, since: now.mono, passed, is_told, is_announced };
            match self.pages.get_mut(name) {
                Some(page) if page.word == word => {}
                Some(page) => *page = Page { passed: page.passed, is_told: page.is_told, ..fresh },
                None => drop(self.pages.insert(name.to_owned(), fresh)),
            }
        }
        self.brake.look(self.silence(), now);
    }

    /// For another reign: what was seen and heard counts on, what was done is done anew.
    pub(super) fn renewed(mut self) -> Self {
        self.pages.values_mut().for_each(|page| (page.passed, page.is_told) = (false, false));
        self
    }

    /// An event for a word that people should know and that has no other consequence.
    fn announce(&mut self, node: &Object, said: Option<&Said>, plan: &mut Plan) {
        let Some(page) = self.pages.get_mut(node.name()) else { return };
        if std::mem::replace(&mut page.is_announced, true) {
            return;
        }
        let (reason, message) = match page.word {
            Some(NodeWord::AgentLost) => ("AgentLost", "The node's agent is gone, its pods run on"),
            Some(NodeWord::Suspect) => ("NodeSuspect", "The node is silent"),
            _ => return,
        };
        let evidence = said.map_or("", |said| said.evidence.as_str());
        let message = match evidence {
            "" => format!("{message}."),
            evidence => format!("{message}: {evidence}."),
        };
        plan.event(node, EventType::Warning, reason, message);
    }

    /// How many nodes are silent, of those that membership has a word for.
    fn silence(&self) -> Silence {
        let silent = |page: &&Page| page.word.is_some_and(NodeWord::is_silent);
        let all = self.pages.values().filter(|page| page.word.is_some()).count();
        Silence { silent: self.pages.values().filter(silent).count(), all }
    }

    fn plan_node(&mut self, node: &Object, words: &Words, now: Now, plan: &mut Plan) {
        if self.is_dead(node, now) {
            let said = words.nodes.get(node.name());
            let evidence = said.map_or("", |said| said.evidence.as_str());
            self.plan_dead(node, evidence, now, plan);
        } else {
            self.plan_living(node, plan);
        }
    }

    /// Whether the node counts as dead now; asks for a later look if time alone will make it so.
    fn is_dead(&mut self, node: &Object, now: Now) -> bool {
        let Some(page) = self.pages.get(node.name()) else { return false };
        let wait = match page.word {
            Some(NodeWord::Dead) => return true,
            Some(NodeWord::Left) => LEFT_AFTER,
            None if marks::is_ours(node) => UNHEARD_AFTER,
            _ => return false,
        };
        let due = page.since.after(wait);
        if now.mono < due {
            self.look_again(due);
        }
        now.mono >= due
    }

    fn plan_dead(&mut self, node: &Object, evidence: &str, now: Now, plan: &mut Plan) {
        let silence = self.silence();
        let Some(page) = self.pages.get_mut(node.name()) else { return };
        page.passed = page.passed || dead_nodes::is_dead(node) || self.brake.take();
        let (passed, is_told) = (page.passed, page.is_told);
        page.is_told = self.brake.is_on() && !passed;
        let told_now = page.is_told && !is_told;
        // The taint first: everything follows from it. A second write to the same object waits for
        // the first.
        if let Some(patch) = marks::taint_dead(node, now.wall).filter(|_| passed) {
            plan.patch_exactly(node, patch);
            let message = "The node was declared dead: its pods are replaced elsewhere.";
            plan.event(node, EventType::Warning, "NodeDead", message);
        } else if let Some(status) = marks::unknown_conditions(node, evidence, now.wall) {
            plan.set_status_exactly(node, &status);
        }
        if told_now {
            let Silence { silent, all } = silence;
            let message = format!(
                "{silent} of {all} nodes are silent at once: nothing is evicted for it until most \
                 are heard again."
            );
            plan.event(node, EventType::Warning, "EvictionPaused", message);
        }
        if !passed {
            self.look_again(self.brake.next(now));
        }
    }

    fn plan_living(&mut self, node: &Object, plan: &mut Plan) {
        let Some(page) = self.pages.get_mut(node.name()) else { return };
        (page.passed, page.is_told) = (false, false);
        // The agent reports that it is ready after it has killed what was replaced.
        let reported = marks::ready(node) == Some("True");
        if page.word != Some(NodeWord::Alive) || !dead_nodes::is_dead(node) || !reported {
            return;
        }
        plan.patch_exactly(node, marks::untaint(node));
        plan.event(node, EventType::Normal, "NodeBack", "The node is back.");
    }

    /// This server is in touch with a majority again: what it did not hear meanwhile says nothing.
    pub(super) fn begin_again(&mut self, now: Now) {
        self.pages.values_mut().for_each(|page| page.since = now.mono);
    }

    fn look_again(&mut self, at: Mono) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}
