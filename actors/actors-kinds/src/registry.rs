//! Which kinds are served, and what is special about each: a value, so that a test adds one with a row.
//!
//! Way in: [`Registry::builtin`], [`Registry::with_rows`].  Owns: the schema and the list of kinds.
//! Never: a `match` over kinds; what differs between kinds is a word in `tables/served.txt`.
//! Invariants: 1. One kind per (group, version, kind) and per (group, version, plural). 2. The order of kinds is
//! the order of discovery, in which clients resolve short names.

mod served;

use std::sync::Arc;

use actors_object::{GroupResource, Gvk, Object, split_api_version};

use crate::facts::{ResourceRow, Schema, Shape, Table, TableError, TypeFacts, beginning};

/// The generated facts, and what is served of them.
const FACTS: &str = include_str!("../tables/facts.txt");
const WIRE: &str = include_str!("../tables/wire.txt");
const SERVED: &str = include_str!("../tables/served.txt");

/// How the door treats objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strategy {
    /// Whether `status` is written through the status subresource only.
    pub status: bool,
    /// Whether `metadata.generation` counts changes of everything but metadata and status.
    pub generation: bool,
    /// Whether deletion waits for a grace period (pods).
    pub graceful_delete: bool,
    /// Whether PUT of an object that does not exist creates it.
    pub create_on_update: bool,
    /// Whether PUT needs no `metadata.resourceVersion`.
    pub unconditional_update: bool,
}

/// A part of an object with a path, verbs and sometimes a kind of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    /// Its name: `status`.
    pub name: String,
    /// The kind of its bodies: `autoscaling/v1 Scale` for `scale`.
    pub gvk: Gvk,
    /// The shape of its bodies.
    pub shape: Shape,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

/// All that is known about one kind that is served.
#[derive(Debug, Clone)]
pub struct KindFacts {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `DeploymentList`.
    pub list_kind: String,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// `all`.
    pub categories: Vec<String>,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// What can be done with it, sorted: `create`, `delete`, `deletecollection`, `get`, `list`, ...
    pub verbs: Vec<String>,
    /// Its subresources that are served, sorted by name.
    pub subresources: Vec<Subresource>,
    /// The shape of its objects.
    pub shape: Shape,
    /// Under which group and plural its objects are stored; differs where two groups show one store (events).
    pub storage: GroupResource,
    /// How the door treats its objects.
    pub strategy: Strategy,
}

impl KindFacts {
    /// Whether its objects are kept, in contrast to a review that is only answered.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.has_verb("get")
    }

    /// Whether it can be used in this way.
    #[must_use]
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// One of its subresources.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|known| known.name == name)
    }

    /// The resource without its version, as errors name it: `deployments.apps`.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.gvk.group.clone(), resource: self.plural.clone() }
    }

    /// Whether this is a built-in kind of this group and name, whatever its version.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.gvk.group == group && self.gvk.kind == kind
    }
}

/// The kinds that a server serves. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    schema: Arc<Schema>,
    kinds: Vec<Arc<KindFacts>>,
    /// Invariant: the same, ordered by [`by_name`], each behind the [`beginning`] of its own name, so that most are
    /// found without a look at them.
    by_name: Vec<(u64, Arc<KindFacts>)>,
}

/// The order in which kinds are looked up: most differ in their own names.
fn by_name(gvk: &Gvk) -> (&str, &str, &str) {
    (&gvk.kind, &gvk.group, &gvk.version)
}

impl Registry {
    /// The kinds that this version of Starling serves.
    ///
    /// # Errors
    /// If the committed tables do not fit each other; a test holds that they do.
    pub fn builtin() -> Result<Self, TableError> {
        let table = Table::read(FACTS, Schema::default())?;
        let kinds = served::select(SERVED, &table.resources)?;
        let table = Table::read(WIRE, table.schema)?;
        let mut registry =
            Self { schema: Arc::new(table.schema), kinds: Vec::new(), by_name: Vec::new() };
        kinds.into_iter().for_each(|kind| registry.add(kind));
        Ok(registry)
    }

    /// This registry and the kinds of further rows, in the format of the fact table, with the words of the table
    /// of served kinds after the verbs:
    ///
    /// ```text
    /// resource demo.dev v1 widgets Widget any namespaced create,delete,get,list,patch,update,watch short=wd
    ///  status demo.dev/v1/Widget any get,patch,update
    /// ```
    ///
    /// A type may be declared above (`type demo.v1.Widget`, then its fields); with the type `any`, only the
    /// metadata is checked and everything else is kept as it is. A kind that is known already is replaced.
    ///
    /// # Errors
    /// If a line is not understood; it is named by its number.
    pub fn with_rows(&self, rows: &str) -> Result<Self, TableError> {
        let table = Table::read(rows, (*self.schema).clone())?;
        let mut registry = self.clone();
        registry.schema = Arc::new(table.schema);
        for row in &table.resources {
            registry.add(served::from_row(row)?);
        }
        Ok(registry)
    }

    fn add(&mut self, kind: KindFacts) {
        let kind = Arc::new(kind);
        self.kinds.retain(|known| known.gvk != kind.gvk);
        self.kinds.push(Arc::clone(&kind));
        let order =
            |(_, known): &(u64, Arc<KindFacts>)| by_name(&known.gvk).cmp(&by_name(&kind.gvk));
        let entry = (beginning(&kind.gvk.kind), Arc::clone(&kind));
        match self.by_name.binary_search_by(order) {
            Ok(at) => self.by_name[at] = entry,
            Err(at) => self.by_name.insert(at, entry),
        }
    }

    /// The types behind the kinds.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The kind of this name.
    #[must_use]
    pub fn kind(&self, gvk: &Gvk) -> Option<&KindFacts> {
        self.find(by_name(gvk))
    }

    /// The kind of this name, as objects give it: `apps/v1` and `Deployment`.
    #[must_use]
    pub fn kind_named(&self, api_version: &str, kind: &str) -> Option<&KindFacts> {
        let (group, version) = split_api_version(api_version);
        self.find((kind, group, version))
    }

    fn find(&self, wanted: (&str, &str, &str)) -> Option<&KindFacts> {
        let first = beginning(wanted.0);
        let from = self.by_name.partition_point(|(known, _)| *known < first);
        let mut alike = self.by_name[from..].iter().take_while(|(known, _)| *known == first);
        alike.find(|(_, kind)| by_name(&kind.gvk) == wanted).map(|(_, kind)| &**kind)
    }

    /// The kind that an object says it has.
    #[must_use]
    pub fn kind_of(&self, object: &Object) -> Option<&KindFacts> {
        self.kind_named(object.api_version(), object.kind())
    }

    /// The kind behind a path: `apps`, `v1`, `deployments`.
    #[must_use]
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&KindFacts> {
        self.served(group, version, plural).map(|kind| &**kind)
    }

    /// The same, for those who keep it.
    #[must_use]
    pub fn served(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<KindFacts>> {
        self.kinds.iter().find(|kind| {
            kind.plural == plural && kind.gvk.group == group && kind.gvk.version == version
        })
    }

    /// The kind that a person means: a plural, singular or short name, with or without `.group`.
    #[must_use]
    pub fn by_short_name(&self, word: &str) -> Option<&KindFacts> {
        let word = word.to_ascii_lowercase();
        let (name, group) = match word.split_once('.') {
            Some((name, group)) => (name, Some(group)),
            None => (word.as_str(), None),
        };
        self.kinds().find(|kind| {
            let is_named = kind.plural == name
                || kind.singular == name
                || kind.short_names.iter().any(|short| short == name);
            is_named && group.is_none_or(|group| kind.gvk.group == group)
        })
    }

    /// All kinds, in the order of discovery.
    pub fn kinds(&self) -> impl Iterator<Item = &KindFacts> {
        self.kinds.iter().map(|kind| &**kind)
    }

    /// The groups, in the order of discovery, with their versions.
    #[must_use]
    pub fn groups(&self) -> Vec<(&str, Vec<&str>)> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for kind in self.kinds() {
            let group = kind.gvk.group.as_str();
            let version = kind.gvk.version.as_str();
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, versions)) if versions.contains(&version) => {}
                Some((_, versions)) => versions.push(version),
                None => groups.push((group, vec![version])),
            }
        }
        groups
    }

    /// The facts about a type, by its short name in the table: `meta.v1.DeleteOptions`.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<&TypeFacts> {
        self.schema.type_named(name).and_then(|id| self.schema.facts(id))
    }

    /// The shape of a type, by its short name: for bodies that are no kind of their own (`DeleteOptions`).
    #[must_use]
    pub fn shape_named(&self, name: &str) -> Shape {
        self.schema.type_named(name).map_or(Shape::Any, Shape::Object)
    }
}

/// A kind from a row of the facts, without the words of the table of served kinds.
fn plain_kind(row: &ResourceRow) -> KindFacts {
    KindFacts {
        gvk: row.gvk.clone(),
        plural: row.plural.clone(),
        singular: row.gvk.kind.to_ascii_lowercase(),
        list_kind: format!("{}List", row.gvk.kind),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: row.namespaced,
        verbs: row.verbs.clone(),
        subresources: Vec::new(),
        shape: row.shape.clone(),
        storage: GroupResource { group: row.gvk.group.clone(), resource: row.plural.clone() },
        strategy: Strategy { unconditional_update: true, ..Strategy::default() },
    }
}

#[cfg(test)]
mod tests;
