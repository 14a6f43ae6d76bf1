//! Who owns what: `metadata.managedFields`, and how writes move ownership.
//!
//! Way in: [`Managers::of`], [`Managers::apply`], [`Managers::update`].

use super::{
    FieldSet, FieldSetError, Step,
    compare::Difference,
    fields::Node,
    merge,
    versions::{Changes, Versions},
};
use crate::{Map, Object, Value};

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By applying a configuration.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who writes: a name, how, in which version, through which part of the resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// How it writes.
    pub operation: Operation,
    /// Its name: `kubectl`.
    pub name: String,
    /// The version of its fields: `apps/v1`.
    pub api_version: String,
    /// `status`, `scale`; empty for the resource itself.
    pub subresource: String,
}

/// One manager's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    manager: Manager,
    /// When its fields changed last: RFC 3339.
    time: String,
    fields: FieldSet,
}

impl Entry {
    /// The fields in another version, as far as the object has them, which is given in that version.
    fn told_in<V: Versions>(
        &self,
        (versions, there): (&V, &V::Place),
        (object, version): (&Value, &str),
    ) -> Option<FieldSet> {
        let own = self.manager.api_version.as_str();
        let place = versions.place(own)?;
        let mut part = versions.turned(object, version, own)?;
        let all = FieldSet::of(&place, &part);
        merge::prune(&place, &mut part, &all, &self.fields);
        Some(FieldSet::of(there, &versions.turned(&part, own, version)?))
    }
}

/// All managers of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Managers {
    entries: Vec<Entry>,
}

/// Fields that another manager owns and this one would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns them.
    pub manager: Manager,
    /// When it got them: RFC 3339.
    pub time: String,
    /// Their paths, as people read them.
    pub paths: Vec<String>,
}

/// Which fields a write through one part of a resource may own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// All but what lies at these places.
    AllBut(&'a [&'a [&'a str]]),
    /// Nothing but what lies at these places.
    Only(&'a [&'a [&'a str]]),
}

/// How a configuration is applied.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// Which fields it may own.
    pub reach: Reach<'a>,
    /// Whether it takes fields from other managers.
    pub force: bool,
    /// Fills in what every object of the kind has, so that a default which stands in the live object and not in the
    /// configuration is no difference.
    pub complete: &'a dyn Fn(&mut Value),
}

/// What an apply makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The new object, its managed fields left out.
    pub object: Value,
    /// Who owns what from now on.
    pub managers: Managers,
}

/// Fields that the server alone writes: nobody owns them.
const UNOWNED: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "generateName"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "creationTimestamp"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "deletionGracePeriodSeconds"],
    &["metadata", "selfLink"],
];

impl Managers {
    /// The managers that an object names.
    ///
    /// # Errors
    /// An entry that cannot be read.
    pub fn of(object: &Object) -> Result<Self, FieldSetError> {
        let mut entries = Vec::new();
        for row in object.list_at(&["metadata", "managedFields"]) {
            let text = |name: &str| row.at(name).as_str().unwrap_or_default().to_owned();
            let operation = match row.at("operation").as_str() {
                Some("Apply") => Operation::Apply,
                Some("Update") => Operation::Update,
                _ => return Err(FieldSetError::Shape),
            };
            let manager = Manager {
                operation,
                name: text("manager"),
                api_version: text("apiVersion"),
                subresource: text("subresource"),
            };
            let fields = match row.at("fieldsV1") {
                Value::Null => FieldSet::default(),
                written => FieldSet::from_value(written)?,
            };
            entries.push(Entry { manager, time: text("time"), fields });
        }
        Ok(Self { entries })
    }

    /// As the object carries them.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let row = |entry: &Entry| {
            let mut row = Map::new();
            row.insert("manager", entry.manager.name.as_str());
            row.insert("operation", entry.manager.operation.as_str());
            row.insert("apiVersion", entry.manager.api_version.as_str());
            if !entry.time.is_empty() {
                row.insert("time", entry.time.as_str());
            }
            row.insert("fieldsType", "FieldsV1");
            row.insert("fieldsV1", entry.fields.to_value());
            if !entry.manager.subresource.is_empty() {
                row.insert("subresource", entry.manager.subresource.as_str());
            }
            Value::Map(row)
        };
        Value::List(self.entries.iter().map(row).collect())
    }

    /// Whether nobody owns anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fields of one manager.
    #[must_use]
    pub fn fields(&self, manager: &Manager) -> Option<&FieldSet> {
        self.entries.iter().find(|entry| entry.manager == *manager).map(|entry| &entry.fields)
    }

    /// Lays a configuration over the live object, which does not carry its managers. What lies beyond `reach` must not
    /// stand in the configuration.
    ///
    /// # Errors
    /// What other managers own and would be changed, unless `force`.
    pub fn apply(
        &self,
        versions: &impl Versions,
        (live, config): (&Value, &Value),
        by: (&Manager, &str),
        how: How<'_>,
    ) -> Result<Applied, Vec<Conflict>> {
        let (manager, now) = by;
        let How { reach, force, complete } = how;
        let place = versions.written();
        let wanted = owned(FieldSet::of(&place, config), reach);
        let mut managers = self.clone();
        managers.forget_unserved(versions, &manager.api_version);
        let last = managers.take(manager);
        let mut object = merge::merged(&place, live, config);
        if let Some(last) = &last {
            let by = (manager, &wanted, last);
            managers.drop_unwanted(versions, (&mut object, config), by, reach);
        }
        complete(&mut object);
        let mut changes =
            Changes::of(versions, (live, &object), (manager.api_version.as_str(), reach));
        let conflicts = managers.conflicts(&mut changes);
        if !conflicts.is_empty() && !force {
            return Err(conflicts);
        }
        managers.give_up(&mut changes, now);
        managers.put(manager, (wanted, last), now);
        Ok(Applied { object, managers })
    }

    /// Gives every field that a write changed to its writer, and takes away from everybody what is gone.
    pub fn update(
        &mut self,
        versions: &impl Versions,
        states: (&Value, &Value),
        (manager, now): (&Manager, &str),
        reach: Reach<'_>,
    ) {
        let mut changes = Changes::of(versions, states, (manager.api_version.as_str(), reach));
        if changes.is_empty() {
            return;
        }
        self.forget_unserved(versions, &manager.api_version);
        let own = self.take(manager);
        self.give_up(&mut changes, now);
        let mut fields = own.as_ref().map(|own| own.fields.clone()).unwrap_or_default();
        let Difference { changed, removed } = changes.into_own();
        fields.subtract(&removed);
        match fields.is_empty() {
            true => fields = changed,
            false => fields.add(&changed),
        }
        self.put(manager, (fields, own), now);
    }

    /// Forgets those whose version is not served: what they own has no meaning any more.
    fn forget_unserved(&mut self, versions: &impl Versions, written: &str) {
        self.entries.retain(|entry| {
            let version = entry.manager.api_version.as_str();
            version == written || versions.place(version).is_some()
        });
    }

    /// Takes out of the object what the manager applied when it did so last, and neither wants now nor anybody else
    /// owns.
    fn drop_unwanted(
        &self,
        versions: &impl Versions,
        (object, config): (&mut Value, &Value),
        (manager, wanted, last): (&Manager, &FieldSet, &Entry),
        reach: Reach<'_>,
    ) {
        let (written, version) = (&*manager.api_version, &*last.manager.api_version);
        let turned = |value: &Value| versions.turned(value, written, version);
        let there = (version != written).then(|| {
            let place = versions.place(version)?;
            let wanted = owned(FieldSet::of(&place, &turned(config)?), reach);
            Some((place, turned(object)?, wanted))
        });
        let (place, mut pruned, mut kept) = match there {
            None => (versions.written(), std::mem::take(object), wanted.clone()),
            Some(Some(there)) => there,
            Some(None) => return,
        };
        for entry in &self.entries {
            if entry.manager.api_version == version {
                kept.add(&entry.fields);
            } else if let Some(theirs) = entry.told_in((versions, &place), (&pruned, version)) {
                kept.add(&owned(theirs, reach));
            }
        }
        merge::prune(&place, &mut pruned, &last.fields, &kept);
        let back = (version != written).then(|| versions.turned(&pruned, version, written));
        match back {
            None => *object = pruned,
            Some(Some(turned)) => *object = turned,
            Some(None) => {}
        }
    }

    /// Takes the manager's own entry out. An applier is the same whichever version it applies in.
    fn take(&mut self, manager: &Manager) -> Option<Entry> {
        let is_own = |entry: &Entry| match manager.operation {
            Operation::Update => entry.manager == *manager,
            Operation::Apply => {
                let Manager { operation, name, subresource, .. } = &entry.manager;
                (operation, name, subresource)
                    == (&manager.operation, &manager.name, &manager.subresource)
            }
        };
        let at = self.entries.iter().position(is_own)?;
        Some(self.entries.remove(at))
    }

    fn put(&mut self, manager: &Manager, (fields, last): (FieldSet, Option<Entry>), now: &str) {
        if fields.is_empty() {
            return;
        }
        // A time tells when the fields changed, so that an apply that changes nothing changes nothing.
        let same = |last: &Entry| last.manager == *manager && last.fields == fields;
        let time = last.filter(same).map(|last| last.time);
        let time = time.unwrap_or_else(|| now.to_owned());
        self.entries.push(Entry { manager: manager.clone(), time, fields });
        let key = |entry: &Entry| (entry.manager.operation, entry.time.clone());
        self.entries.sort_by(|one, other| {
            key(one).cmp(&key(other)).then_with(|| one.manager.cmp(&other.manager))
        });
    }

    fn conflicts(&self, changes: &mut Changes<'_, impl Versions>) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for entry in &self.entries {
            let changes = changes.told_in(&entry.manager.api_version);
            let paths = entry.fields.common(&changes.changed).paths();
            if !paths.is_empty() {
                let (manager, time) = (entry.manager.clone(), entry.time.clone());
                conflicts.push(Conflict { manager, time, paths });
            }
        }
        conflicts
    }

    /// Takes what changed, or is gone, away from everybody.
    fn give_up(&mut self, changes: &mut Changes<'_, impl Versions>, now: &str) {
        for entry in &mut self.entries {
            let Difference { changed, removed } = changes.told_in(&entry.manager.api_version);
            for fields in [changed, removed] {
                if entry.fields.meets(fields) {
                    entry.fields.subtract(fields);
                    now.clone_into(&mut entry.time);
                }
            }
        }
        self.entries.retain(|entry| !entry.fields.is_empty());
    }
}

/// Without what nobody owns, and without what cannot be written this way.
pub(super) fn owned(mut fields: FieldSet, reach: Reach<'_>) -> FieldSet {
    UNOWNED.iter().for_each(|path| fields.remove_path(path));
    fields.remove_path(&["metadata", "managedFields"]);
    match reach {
        Reach::AllBut(paths) => paths.iter().for_each(|path| fields.remove_path(path)),
        Reach::Only(paths) => fields.retain_paths(paths),
    }
    // That there is metadata, a spec or a status is nobody's doing.
    let mut roots = FieldSet::default();
    for name in ["metadata", "spec", "status"] {
        roots.put(Step::field(name), Node { own: true, below: FieldSet::default() });
    }
    fields.subtract(&roots);
    fields
}
