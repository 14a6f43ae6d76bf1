//! An object in the versions in which it is served: each manager's fields are those of the version that it wrote.
//!
//! Way in: [`Versions`].
//! Spec: KEP-555, "Multiple versions": what a write changes is compared in the version of each manager's fields.

use super::{
    Place, Reach,
    compare::{Difference, difference},
    managers::owned,
};
use crate::Value;

/// The versions of one kind.
pub trait Versions {
    /// A place in an object of any of them.
    type Place: Place;

    /// The root of an object in the version that is written.
    fn written(&self) -> Self::Place;

    /// The root of an object in this version; `None` if it is not served.
    fn place(&self, api_version: &str) -> Option<Self::Place>;

    /// An object of one version in another one; `None` if either is not served.
    fn turned(&self, object: &Value, from: &str, to: &str) -> Option<Value>;
}

/// A kind whose versions are all the same.
impl<P: Place> Versions for P {
    type Place = P;

    fn written(&self) -> P {
        self.clone()
    }

    fn place(&self, _api_version: &str) -> Option<P> {
        Some(self.clone())
    }

    fn turned(&self, object: &Value, _from: &str, _to: &str) -> Option<Value> {
        Some(object.clone())
    }
}

/// What a write changes, as each version tells it.
pub(super) struct Changes<'a, V> {
    versions: &'a V,
    /// Before and after, in the version that is written.
    states: (&'a Value, &'a Value),
    reach: Reach<'a>,
    /// By version, the written one first.
    known: Vec<(String, Difference)>,
}

impl<'a, V: Versions> Changes<'a, V> {
    /// The changes of a write in the version `api_version`.
    pub(super) fn of(
        versions: &'a V,
        states: (&'a Value, &'a Value),
        (api_version, reach): (&str, Reach<'a>),
    ) -> Self {
        let found = difference(&versions.written(), states.0, states.1);
        let known = vec![(api_version.to_owned(), within(found, reach))];
        Self { versions, states, reach, known }
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.known.iter().all(|(_, one)| one.changed.is_empty() && one.removed.is_empty())
    }

    /// The changes in the version that is written.
    pub(super) fn into_own(self) -> Difference {
        self.known.into_iter().next().map(|(_, own)| own).unwrap_or_default()
    }

    /// The same in another version; nothing in one that is not served.
    pub(super) fn told_in(&mut self, api_version: &str) -> &Difference {
        let at = match self.known.iter().position(|(known, _)| known == api_version) {
            Some(at) => at,
            None => {
                let found = self.compared(api_version).unwrap_or_default();
                self.known.push((api_version.to_owned(), found));
                self.known.len() - 1
            }
        };
        &self.known[at].1
    }

    fn compared(&self, to: &str) -> Option<Difference> {
        let (written, _) = self.known.first()?;
        let turn = |state: &Value| self.versions.turned(state, written, to);
        let (old, new) = (turn(self.states.0)?, turn(self.states.1)?);
        Some(within(difference(&self.versions.place(to)?, &old, &new), self.reach))
    }
}

fn within(found: Difference, reach: Reach<'_>) -> Difference {
    Difference { changed: owned(found.changed, reach), removed: owned(found.removed, reach) }
}
