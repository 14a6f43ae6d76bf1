//! Keys of objects, in the layout that `/registry/` has in etcd.
//!
//! Way in: [`Key::object`], [`Key::prefix`].

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

/// A key: any bytes; for objects `/registry/[GROUP/]PLURAL/[NAMESPACE/]NAME`.
///
/// The core group has no group segment: `/registry/pods/default/web-0`,
/// `/registry/apps/deployments/default/web`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Key(#[serde(with = "serde_bytes")] Vec<u8>);

impl Key {
    /// Most bytes of a key: a group, a plural, a namespace and a name of 253 characters each, and
    /// then some.
    pub const LEN_MAX: usize = 2_048;

    /// The key of one object; `group` is empty for the core group, `namespace` is `None` for
    /// cluster-scoped kinds.
    #[must_use]
    pub fn object(group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Self {
        Self::joined([Some(group), Some(plural), namespace], name)
    }

    /// What the keys of a kind (in one namespace, or in all) begin with; ends with `/`.
    #[must_use]
    pub fn prefix(group: &str, plural: &str, namespace: Option<&str>) -> Self {
        Self::joined([Some(group), Some(plural), namespace], "")
    }

    /// A group is left out if it is empty.
    fn joined([group, plural, namespace]: [Option<&str>; 3], name: &str) -> Self {
        const ROOT: &[u8] = b"/registry/";
        let segments = [group.filter(|group| !group.is_empty()), plural, namespace];
        let segments = segments.into_iter().flatten();
        let len: usize = segments.clone().map(|segment| segment.len() + 1).sum();
        let mut bytes = Vec::with_capacity(ROOT.len() + len + name.len());
        bytes.extend_from_slice(ROOT);
        for segment in segments {
            bytes.extend_from_slice(segment.as_bytes());
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes)
    }

    /// A key of any bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this key begins with `prefix`; every key begins with the empty one.
    #[must_use]
    pub fn has_prefix(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The first key behind all keys that begin with this one; `None` if no key is.
    #[must_use]
    pub fn prefix_end(&self) -> Option<Self> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Some(Self(end));
            }
        }
        None
    }

    /// The first key behind this one.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut next = self.0.clone();
        next.push(0);
        Self(next)
    }

    /// What stands behind the last `/`: the name of an object.
    #[must_use]
    pub fn last_segment(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

/// Keys are in the order of their bytes.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_layout_of_the_registry() {
        let check = |key: Key, expected: &str| assert_eq!(key.to_string(), expected);
        check(Key::object("", "pods", Some("default"), "web-0"), "/registry/pods/default/web-0");
        check(Key::object("", "nodes", None, "n1"), "/registry/nodes/n1");
        check(Key::object("apps", "deployments", Some("a"), "b"), "/registry/apps/deployments/a/b");
        check(Key::prefix("", "pods", None), "/registry/pods/");
        check(Key::prefix("apps", "deployments", Some("a")), "/registry/apps/deployments/a/");
        assert_eq!(Key::object("", "nodes", None, "n1").last_segment(), b"n1");
    }

    #[test]
    fn the_end_of_a_prefix_is_behind_all_its_keys_and_before_the_rest() {
        assert_eq!(Key::from("a/").prefix_end(), Some(Key::from("a0")));
        assert_eq!(Key::from_bytes([b'a', 255, 255]).prefix_end(), Some(Key::from("b")));
        assert_eq!(Key::from_bytes([255]).prefix_end(), None);
        assert_eq!(Key::default().prefix_end(), None);
        assert!(Key::from("a").successor() > Key::from("a"));
        assert!(
            Key::from("ab").has_prefix(&Key::from("a"))
                && Key::from("ab").has_prefix(&Key::default())
        );
    }
}
