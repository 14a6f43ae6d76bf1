//! Spreads endpoints over slices with as few changes as can be.
//!
//! Way in: [`SliceSet::plan`].  Invariants: 1. at most [`ENDPOINTS_MAX`] endpoints in a slice. 2.
//! an endpoint stays in the slice in which it is; new ones fill what has room. 3. a slice's name is
//! a hash, so that it is never made twice.

use std::{collections::BTreeMap, sync::Arc};

use actors_controller::{Plan, World, merge_diff};
use actors_object::{LabelSelector, Map, Object, OwnerRef, Value, hash, value};

use super::{Family, MANAGED_BY, SERVICE_NAME};
use crate::kinds::ENDPOINT_SLICE;

/// Most endpoints in one slice.
pub(crate) const ENDPOINTS_MAX: usize = 100;

/// Endpoints of one family that have the same ports.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) family: Family,
    /// As the `ports` of a slice.
    pub(crate) ports: Value,
    /// Each with a name that is the same in every run.
    pub(crate) endpoints: Vec<(String, Value)>,
}

/// The slices that one manager keeps for one owner.
#[derive(Debug, Clone)]
pub(crate) struct SliceSet<'a> {
    pub(crate) owner: &'a Object,
    pub(crate) service: &'a str,
    pub(crate) manager: &'a str,
    /// Labels of every slice.
    pub(crate) labels: Map,
}

/// What a slice shall hold.
struct Content<'a> {
    group: &'a Group,
    endpoints: Vec<Value>,
}

impl SliceSet<'_> {
    /// Plans the slices that hold exactly `groups`.
    pub(crate) fn plan(&self, groups: &[Group], world: &dyn World, plan: &mut Plan) {
        let existing = self.existing(world);
        let (mut free, mut taken) = (Vec::new(), vec![None; existing.len()]);
        for (index, slice) in existing.iter().enumerate() {
            match groups.iter().position(|group| belongs(slice, group)) {
                Some(group) => taken[index] = Some(group),
                None => free.push(index),
            }
        }
        let mut made = 0;
        for (number, group) in groups.iter().enumerate() {
            let own: Vec<usize> =
                (0..existing.len()).filter(|index| taken[*index] == Some(number)).collect();
            let slices: Vec<&Arc<Object>> = own.iter().map(|index| &existing[*index]).collect();
            let mut contents = pack(group, &slices);
            let extra = contents.split_off(slices.len());
            for (slice, content) in slices.iter().zip(contents) {
                match content.endpoints.is_empty() && !(slices.len() == 1 && extra.is_empty()) {
                    true => plan.delete(slice),
                    false => self.update(slice, &content, plan),
                }
            }
            for content in extra {
                // A slice whose ports nobody has any longer serves again before a new one is made.
                let fits = |index: &usize| address_type(&existing[*index]) == group.family.as_str();
                match free.iter().position(fits) {
                    Some(at) => self.update(&existing[free.swap_remove(at)], &content, plan),
                    None => self.create(&content, &existing, &mut made, plan),
                }
            }
        }
        for index in free {
            plan.delete(&existing[index]);
        }
    }

    fn existing(&self, world: &dyn World) -> Vec<Arc<Object>> {
        let tie: Map =
            [(SERVICE_NAME, self.service), (MANAGED_BY, self.manager)].into_iter().collect();
        let selector = LabelSelector::from_map(&tie);
        let mut found = world.matching(&ENDPOINT_SLICE, Some(self.owner.namespace()), &selector);
        let owned = |slice: &Object| slice.controller_uid() == Some(self.owner.uid());
        found.retain(|slice| owned(slice) && !slice.is_terminating());
        found
    }

    fn update(&self, slice: &Object, content: &Content<'_>, plan: &mut Plan) {
        let wanted = value!({
            "metadata": { "labels": self.labels.clone() },
            "endpoints": content.endpoints.clone(),
            "ports": &content.group.ports,
        });
        let current = value!({
            "metadata": { "labels": slice.map_at(&["metadata", "labels"]).clone() },
            "endpoints": slice.at("endpoints"),
            "ports": slice.at("ports"),
        });
        if let Some(patch) = merge_diff(&current, &wanted) {
            plan.patch(slice, patch);
        }
    }

    fn create(
        &self,
        content: &Content<'_>,
        existing: &[Arc<Object>],
        made: &mut usize,
        plan: &mut Plan,
    ) {
        let taken = |name: &str| existing.iter().any(|slice| slice.name() == name);
        let name = loop {
            let seed = value!([self.owner.uid(), content.group.family.as_str(), *made]);
            let name = format!("{}-{}", self.service, hash::object_hash(&seed, None));
            *made += 1;
            if !taken(&name) {
                break name;
            }
        };
        let mut slice = Object(value!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": self.owner.namespace(),
                "labels": self.labels.clone(),
            },
            "addressType": content.group.family.as_str(),
            "endpoints": content.endpoints.clone(),
            "ports": &content.group.ports,
        }));
        slice.set_owners(&[OwnerRef::controller(self.owner)]);
        plan.create(slice);
    }
}

/// What each of `slices` shall hold, then what new ones shall hold. Without endpoints there is one
/// content.
fn pack<'a>(group: &'a Group, slices: &[&Arc<Object>]) -> Vec<Content<'a>> {
    let mut rest: BTreeMap<&str, &Value> =
        group.endpoints.iter().map(|(name, endpoint)| (name.as_str(), endpoint)).collect();
    let mut contents: Vec<Content<'_>> = Vec::new();
    for slice in slices {
        let held = slice
            .list_at(&["endpoints"])
            .iter()
            .filter_map(|held| rest.remove(&*endpoint_name(held)).cloned());
        contents.push(Content { group, endpoints: held.take(ENDPOINTS_MAX).collect() });
    }
    let mut rest = rest.into_values().cloned();
    for content in &mut contents {
        let room = ENDPOINTS_MAX - content.endpoints.len();
        // A slice that has emptied is filled last, so that it can go.
        if !content.endpoints.is_empty() || slices.len() == 1 {
            content.endpoints.extend(rest.by_ref().take(room));
        }
    }
    loop {
        let endpoints: Vec<Value> = rest.by_ref().take(ENDPOINTS_MAX).collect();
        if endpoints.is_empty() && !contents.is_empty() {
            return contents;
        }
        contents.push(Content { group, endpoints });
    }
}

/// The name of an endpoint that a slice holds: its pod's uid, or its first address.
pub(crate) fn endpoint_name(endpoint: &Value) -> String {
    let uid = endpoint.str_at(&["targetRef", "uid"]);
    let address = endpoint.list_at(&["addresses"]).first().and_then(Value::as_str);
    uid.or(address).unwrap_or_default().to_owned()
}

fn address_type(slice: &Object) -> &str {
    slice.at("addressType").as_str().unwrap_or_default()
}

fn belongs(slice: &Object, group: &Group) -> bool {
    let none = Value::List(Vec::new());
    let ports = slice.get("ports").unwrap_or(&none);
    address_type(slice) == group.family.as_str() && *ports == group.ports
}
