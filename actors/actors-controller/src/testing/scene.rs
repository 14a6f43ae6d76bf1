//! One situation, and what controllers make of it.
//!
//! Way in: [`Scene::check`], [`Scene::settle`].

use std::{sync::Arc, time::Duration};

use actors_core::{Mono, Now, Rng, Wall};
use actors_object::{Object, Value, names, timefmt};

use super::MemoryWorld;
use crate::{Controller, Happening, Item, Key, Kind, Plan, Primary, Recorded, Verdict, World};

/// A world, a time, and a stream of randomness for generated names.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The objects.
    pub world: MemoryWorld,
    /// The time that controllers are told.
    pub now: Now,
    /// What was told to people, oldest first.
    pub happenings: Vec<Happening>,
    rng: Rng,
    /// Keys of objects that were taken away and whose controllers have not looked since.
    gone: Vec<Key>,
    changes_seen: usize,
}

/// Controllers that do not come to rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("still busy after {rounds} rounds: {plan}")]
pub struct SettleError {
    /// How often every controller looked at every object.
    pub rounds: u32,
    /// The last plan that was not empty.
    pub plan: String,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// An empty scene on 1 January 2026, midnight.
    #[must_use]
    pub fn new() -> Self {
        let wall = timefmt::parse("2026-01-01T00:00:00Z").unwrap_or_default();
        let now = Now { mono: Mono(1), wall };
        let mut world = MemoryWorld::default();
        world.now = wall;
        let rng = Rng::from_number(1);
        Self { world, now, happenings: Vec::new(), rng, gone: Vec::new(), changes_seen: 0 }
    }

    /// The scene with other random names.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.rng = Rng::from_number(seed);
        self
    }

    /// The scene with one more object, as it would be stored.
    #[must_use]
    pub fn with(mut self, object: impl Into<Value>) -> Self {
        self.world.put(Object(object.into()));
        self
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: Duration) {
        self.now = Now { mono: self.now.mono.after(span), wall: self.now.wall.after(span) };
        self.world.now = self.now.wall;
    }

    /// The stamp `span` before now.
    #[must_use]
    pub fn ago(&self, span: Duration) -> String {
        let span = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        timefmt::seconds(Wall(self.now.wall.0.saturating_sub(span)))
    }

    /// One object by name; `place` is `namespace/name`, or the name alone for a cluster-scoped
    /// kind.
    #[must_use]
    pub fn get(&self, kind: &Kind, place: &str) -> Option<Arc<Object>> {
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        self.world.get(kind, namespace, name)
    }

    /// Changes an object by hand.
    pub fn change(&mut self, kind: &Kind, place: &str, edit: impl FnOnce(&mut Object)) {
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        self.world.change(&Key::new(kind, namespace, name), edit);
    }

    /// What `controller` plans for `key`: declared reads only, and without what would change
    /// nothing.
    #[must_use]
    pub fn plan(&self, controller: &dyn Controller, key: &Key) -> Plan {
        let access = controller.access();
        let world = Recorded::new(&self.world, &access);
        let mut plan = match self.world.get(&key.kind, &key.namespace, &key.name) {
            Some(object) => controller.reconcile(&object, &world, self.now),
            None => controller.reconcile_gone(key, &world, self.now),
        };
        plan.reads = world.into_reads();
        plan.revision = self.world.revision();
        plan.items.retain(|item| !item.is_idle(&self.world));
        let undeclared = plan
            .items
            .iter()
            .find(|item| item.verb().is_some_and(|verb| !access.allows(&item.kind(), verb)));
        assert!(undeclared.is_none(), "{} has not declared: {undeclared:?}", controller.name());
        plan
    }

    /// Asserts what `controller` plans for the object of its primary kind at `place`, as text.
    #[track_caller]
    pub fn check(&self, controller: &dyn Controller, place: &str, expected: &str) {
        assert_eq!(self.text(controller, place), expected);
    }

    /// What `controller` plans for the object of its primary kind at `place`, as text.
    #[must_use]
    pub fn text(&self, controller: &dyn Controller, place: &str) -> String {
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        let key = match controller.primary() {
            Primary::Of(kind) => Key::new(&kind, namespace, name),
            Primary::Any => {
                let found = self
                    .world
                    .iter()
                    .find(|(key, _)| key.namespace == namespace && key.name == name);
                found.map_or_else(
                    || Key::new(&Kind::new("v1", ""), namespace, name),
                    |(key, _)| key.clone(),
                )
            }
        };
        self.plan(controller, &key).to_string()
    }

    /// Applies a plan, as the host would.
    pub fn apply(&mut self, plan: Plan) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for mut item in plan.items {
            match &mut item {
                Item::Create(object) if object.name().is_empty() => {
                    let name = names::generate(object.generate_name(), &mut self.rng);
                    object.set_name(&name);
                }
                Item::Event(happening) => self.happenings.push(happening.clone()),
                _ => {}
            }
            verdicts.push(self.world.apply(&item));
        }
        self.note_gone();
        verdicts
    }

    /// Lets every controller look at every object until none wants a change.
    ///
    /// # Errors
    /// After 1,000 rounds they have not come to rest.
    pub fn settle(&mut self, controllers: &[&dyn Controller]) -> Result<u32, SettleError> {
        self.settle_with(controllers, |_| false)
    }

    /// As [`Scene::settle`]; after each round `between` may change the scene, and says whether it
    /// did.
    ///
    /// # Errors
    /// After 1,000 rounds they have not come to rest.
    pub fn settle_with(
        &mut self,
        controllers: &[&dyn Controller],
        mut between: impl FnMut(&mut Self) -> bool,
    ) -> Result<u32, SettleError> {
        const ROUNDS_MAX: u32 = 1_000;
        let mut last = String::new();
        for round in 0..ROUNDS_MAX {
            let mut busy = false;
            for controller in controllers {
                if let Some(plan) = self.round(*controller) {
                    busy = true;
                    last = format!("{}: {plan}", controller.name());
                }
            }
            self.gone.clear();
            self.note_gone();
            if !between(self) && !busy && self.gone.is_empty() {
                return Ok(round);
            }
            self.note_gone();
        }
        Err(SettleError { rounds: ROUNDS_MAX, plan: last })
    }

    /// One look of `controller` at each of its objects; the last plan that was not empty.
    pub fn round(&mut self, controller: &dyn Controller) -> Option<String> {
        let primary = controller.primary();
        let mut keys: Vec<Key> = self
            .world
            .iter()
            .filter(|(_, object)| primary.includes(object))
            .map(|(key, _)| key.clone())
            .collect();
        let fits = |key: &&Key| match &primary {
            Primary::Of(kind) => key.kind.is_same(kind),
            Primary::Any => true,
        };
        keys.extend(self.gone.iter().filter(fits).cloned());
        let mut last = None;
        for key in keys {
            let plan = self.plan(controller, &key);
            if !plan.items.is_empty() {
                last = Some(plan.to_string());
                self.apply(plan);
            }
        }
        last
    }

    fn note_gone(&mut self) {
        let new = self.world.changes.iter().skip(self.changes_seen);
        self.gone.extend(new.filter(|change| change.deleted).map(|change| Key::of(&change.object)));
        self.changes_seen = self.world.changes.len();
    }
}
