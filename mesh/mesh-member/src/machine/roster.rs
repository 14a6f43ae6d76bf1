//! All other members, by the names of their nodes: few, looked up and gone through with each event,
//! seldom added to.
//!
//! Way in: [`Roster`].  Invariant: ordered by name, each name once.

use super::member::Member;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster(Vec<(String, Member)>);

impl Roster {
    fn place(&self, node: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(node))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains_key(&self, node: &str) -> bool {
        self.place(node).is_ok()
    }

    pub(super) fn get(&self, node: &str) -> Option<&Member> {
        self.0.get(self.place(node).ok()?).map(|(_, member)| member)
    }

    pub(super) fn get_mut(&mut self, node: &str) -> Option<&mut Member> {
        let place = self.place(node).ok()?;
        self.0.get_mut(place).map(|(_, member)| member)
    }

    /// Puts a member at its name, in place of the one that was there.
    pub(super) fn insert(&mut self, node: String, member: Member) {
        match self.place(&node) {
            Ok(place) => self.0[place].1 = member,
            Err(place) => self.0.insert(place, (node, member)),
        }
    }

    /// Takes a member out; whether there was one.
    pub(super) fn remove(&mut self, node: &str) -> bool {
        let place = self.place(node);
        place.map(|place| self.0.remove(place)).is_ok()
    }

    pub(super) fn retain(&mut self, mut stays: impl FnMut(&String, &mut Member) -> bool) {
        self.0.retain_mut(|(node, member)| stays(node, member));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Member)> {
        self.0.iter().map(|(node, member)| (node, member))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Member)> {
        self.0.iter_mut().map(|(node, member)| (&*node, member))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(node, _)| node)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().map(|(_, member)| member)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.0.iter_mut().map(|(_, member)| member)
    }
}
