//! How much a seeded carrier knows of each member, made once for all who are told it.
//!
//! Way in: [`Digest::of`].  Invariant: two that say the same have the same sum, by which they are
//! compared.

use std::sync::Arc;

use actors_core::Wall;
use serde::{Deserialize, Serialize};

use crate::MemberInfo;

/// How much somebody knows of each member.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Vec<Row>", from = "Vec<Row>")]
pub struct Digest(Arc<Rows>);

/// Node, life, revision.
type Row = (String, Wall, u64);

#[derive(Debug)]
struct Rows {
    /// Ordered by node.
    rows: Vec<Row>,
    sum: u64,
}

impl Digest {
    /// What is known of these, which come ordered by node.
    pub(super) fn of<'a>(infos: impl Iterator<Item = &'a MemberInfo>) -> Self {
        let row = |info: &MemberInfo| (info.node.clone(), info.started, info.revision);
        Self::new(infos.map(row).collect())
    }

    fn new(rows: Vec<Row>) -> Self {
        let sum = rows.iter().fold(0xcbf2_9ce4_8422_2325, |sum, (node, started, revision)| {
            let numbers = started.0.to_le_bytes().into_iter().chain(revision.to_le_bytes());
            node.bytes().chain([0xff]).chain(numbers).fold(sum, fnv)
        });
        Self(Arc::new(Rows { rows, sum }))
    }

    /// Ordered by node.
    pub(super) fn rows(&self) -> &[Row] {
        &self.0.rows
    }

    /// One number for all that it says.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.sum
    }
}

/// One step of FNV-1a.
fn fnv(sum: u64, byte: u8) -> u64 {
    (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.sum == other.0.sum && self.0.rows.len() == other.0.rows.len()
    }
}

impl Eq for Digest {}

impl From<Vec<Row>> for Digest {
    fn from(mut rows: Vec<Row>) -> Self {
        rows.sort();
        Self::new(rows)
    }
}

impl From<Digest> for Vec<Row> {
    fn from(digest: Digest) -> Self {
        digest.0.rows.clone()
    }
}

#[cfg(test)]
mod tests {
    use mesh_wire::Role;

    use super::*;

    #[test]
    fn digests_differ_in_whatever_they_say() {
        let info = |node: &str, started: i64, revision| MemberInfo {
            revision,
            ..MemberInfo::new(node, Role::Agent, Wall(started))
        };
        let digest = |infos: &[MemberInfo]| Digest::of(infos.iter());
        let known = [info("a", 1, 1), info("b", 1, 1)];
        assert_eq!(digest(&known), digest(&known.clone()));
        let others = [
            vec![info("a", 1, 1)],
            vec![info("a", 1, 1), info("c", 1, 1)],
            vec![info("a", 2, 1), info("b", 1, 1)],
            vec![info("a", 1, 1), info("b", 1, 2)],
            vec![info("a", 1, 1), info("b", 1, 1), info("c", 1, 1)],
        ];
        for other in &others {
            assert_ne!(digest(&known), digest(other), "{other:?}");
        }
    }
}
