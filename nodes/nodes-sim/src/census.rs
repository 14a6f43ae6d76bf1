//! Counts pods: never more of a set than it ever asked for, never one bound twice, never a uid
//! given twice.
//!
//! Way in: [`Census::take`], with each change once, in the order of revisions.

use std::collections::{BTreeMap, BTreeSet};

use actors_controllers::dead_nodes;
use actors_object::{Object, Value};
use store_mvcc::{Change, Key};

use crate::record::Counts;

/// What the keys of all that is counted begin with.
const SETS: &[u8] = b"/registry/apps/replicasets/";
const NODES: &[u8] = b"/registry/nodes/";
const PODS: &[u8] = b"/registry/pods/";

/// What is known of pods and of the sets that own them.
#[derive(Debug, Default)]
pub(crate) struct Census {
    sets: BTreeMap<String, Set>,
    pods: BTreeMap<String, Pod>,
    uids: BTreeSet<String>,
    /// Nodes that are marked as dead.
    dead: BTreeSet<String>,
}

/// A ReplicaSet.
#[derive(Debug, Default)]
struct Set {
    name: String,
    /// How many pods it asked for, since which revision.
    wanted: Vec<(u64, i64)>,
    /// Its pods that are neither ended nor ending.
    active: BTreeSet<String>,
}

/// A pod, by its key.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Pod {
    uid: String,
    set: Option<String>,
    node: Option<String>,
    active: bool,
    running: bool,
    /// Its fence has surely fallen.
    fallen: bool,
}

impl Census {
    /// Whether objects of this key are counted.
    pub(crate) fn counts(key: &Key) -> bool {
        [SETS, NODES, PODS].iter().any(|prefix| key.as_bytes().starts_with(prefix))
    }

    /// Takes in a change, and what it made of the object; says what is impossible about it.
    pub(crate) fn take(
        &mut self,
        change: &Change,
        object: Option<&Object>,
        planned_at: Option<u64>,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let bytes = change.key.as_bytes();
        if bytes.starts_with(SETS) {
            self.take_set(change, object);
        }
        if bytes.starts_with(NODES) {
            self.take_node(change, object, counts);
        }
        if bytes.starts_with(PODS) {
            return self.take_pod(change, (object, planned_at), counts);
        }
        Ok(())
    }

    /// Counts nodes that are marked as dead.
    fn take_node(&mut self, change: &Change, node: Option<&Object>, counts: &mut Counts) {
        let key = change.key.to_string();
        if !node.is_some_and(dead_nodes::is_dead) {
            self.dead.remove(&key);
        } else if self.dead.insert(key) {
            counts.deaths += 1;
        }
    }

    fn take_set(&mut self, change: &Change, object: Option<&Object>) {
        let Some(object) = object else { return };
        let set = self.sets.entry(object.uid().to_owned()).or_default();
        set.name = object.name().to_owned();
        let wanted = object.i64_at(&["spec", "replicas"]).unwrap_or(1);
        if set.wanted.last().is_none_or(|(_, last)| *last != wanted) {
            set.wanted.push((change.revision.0, wanted));
        }
    }

    fn take_pod(
        &mut self,
        change: &Change,
        (object, planned_at): (Option<&Object>, Option<u64>),
        counts: &mut Counts,
    ) -> Result<(), String> {
        let key = change.key.to_string();
        let before = self.pods.remove(&key);
        if let Some(Pod { uid, set: Some(set), .. }) = &before
            && let Some(set) = self.sets.get_mut(set)
        {
            set.active.remove(uid);
        }
        let Some(object) = object else { return Ok(()) };
        let pod = read_pod(object);
        self.pods.insert(key.clone(), pod.clone());
        let created = before.as_ref().is_none_or(|before| before.uid != pod.uid);
        if created && !self.uids.insert(pod.uid.clone()) {
            return Err(format!("{key}: uid {} was given twice", pod.uid));
        }
        let was = before.filter(|before| before.uid == pod.uid).unwrap_or_default();
        counts.bound += u64::from(was.node.is_none() && pod.node.is_some());
        counts.fallen += u64::from(!was.fallen && pod.fallen);
        counts.ran += u64::from(!was.running && pod.running);
        if was.node.is_some() && was.node != pod.node {
            return Err(format!("{key}: moved from {:?} to {:?}", was.node, pod.node));
        }
        if pod.running && pod.node.is_none() {
            return Err(format!("{key}: runs on no node"));
        }
        self.count(&pod, created.then_some(planned_at).flatten())
    }

    /// Counts an active pod; one that a plan made must be wanted by what the plan can have seen.
    fn count(&mut self, pod: &Pod, planned_at: Option<u64>) -> Result<(), String> {
        let Some(set) = pod.set.as_ref().and_then(|set| self.sets.get_mut(set)) else {
            return Ok(());
        };
        if pod.active {
            set.active.insert(pod.uid.clone());
        }
        let Some(planned_at) = planned_at else { return Ok(()) };
        let seen = set.wanted.iter().rposition(|(since, _)| *since <= planned_at).unwrap_or(0);
        let most = set.wanted[seen..].iter().map(|(_, wanted)| *wanted).max().unwrap_or(0);
        let count = i64::try_from(set.active.len()).unwrap_or(i64::MAX);
        if count > most {
            return Err(format!("replica set {} has {count} pods, it wanted {most}", set.name));
        }
        Ok(())
    }
}

fn read_pod(pod: &Object) -> Pod {
    let ended = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
    let text = |path: &[&str]| pod.str_at(path).filter(|text| !text.is_empty()).map(str::to_owned);
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    let falls = |one: &Value| one.at("reason").as_str() == Some("DeletionByFence");
    let runs = |status: &Value| status.at("state").get("running").is_some();
    Pod {
        uid: pod.uid().to_owned(),
        set: pod.controller_of().filter(|owner| owner.kind == "ReplicaSet").map(|owner| owner.uid),
        node: text(&["spec", "nodeName"]),
        active: !ended && !pod.is_terminating(),
        running: statuses.iter().any(runs),
        fallen: pod.list_at(&["status", "conditions"]).iter().any(falls),
    }
}
