//! ResourceQuota: all objects of a namespace together take no more than its quotas allow.
//!
//! Way in: [`charges`].  Writes: `status` of ResourceQuotas, in the same atomic proposal as the
//! object that is charged, at the revision on which it was decided: of two requests that were
//! decided on one figure only one is applied, and the other is decided again.
//! A server that has not heard of a new quota yet charges nothing: the store refuses what it creates
//! then, and it is decided again. A quota that limits more than before counts what such a server
//! lets through when its controller counts again.
//! Never: what is given back by an end or a deletion; that is the quota controller's, which counts.
//! Spec: Kubernetes documentation, "Resource Quotas"; "Admission Control in Kubernetes",
//! ResourceQuota.

use std::sync::Arc;

use actors_kinds::{
    amounts::{self, Amounts},
    quotas::Quota,
};
use actors_object::{ApiError, GroupResource, Object, Quantity, Value};
use store_catalog::Item;
use store_mvcc::Key;

use crate::visit::Visit;

/// A quota, and what it says when the request is granted.
pub(crate) struct Charge {
    /// What is there.
    pub(crate) item: Arc<Item>,
    /// With the new figures in its status.
    pub(crate) quota: Object,
}

/// What a request costs: a new object, or what a change adds to `old`.
///
/// # Errors
/// 403 if a quota does not allow it, or the object does not name what is limited.
pub(crate) fn charges(
    visit: &Visit<'_>,
    old: Option<&Object>,
    new: &Object,
) -> Result<Vec<Charge>, ApiError> {
    if !is_charged(visit) {
        return Ok(Vec::new());
    }
    let prefix = Key::prefix("", "resourcequotas", Some(visit.namespace()));
    let quotas = visit.snapshot.list(&prefix, None, usize::MAX);
    let charges = quotas.map(|item| charge(visit, item, (old, new)));
    charges.filter_map(Result::transpose).collect()
}

/// Objects in namespaces are, when they are made or changed as a whole, and pods that are resized.
fn is_charged(visit: &Visit<'_>) -> bool {
    visit.kind.namespaced && visit.sub.is_none_or(|sub| sub.name == "resize")
}

/// Whether a quota that is new could count a new object of this kind: not events, of which there may
/// be any number, nor the quota itself.
pub(crate) fn may_count(visit: &Visit<'_>) -> bool {
    is_charged(visit) && !matches!(visit.kind.plural.as_str(), "events" | "resourcequotas")
}

fn charge(
    visit: &Visit<'_>,
    item: &Arc<Item>,
    (old, new): (Option<&Object>, &Object),
) -> Result<Option<Charge>, ApiError> {
    let (stored, of, now) = (item.object(), visit.resource(), visit.now.wall);
    let quota = Quota::of(&stored);
    if !quota.counts(&of) {
        return Ok(None);
    }
    let refuse = |why: String| Err(ApiError::forbidden(&visit.resource(), new.name(), why));
    let asks = old.is_none() || visit.sub.is_some();
    if asks
        && visit.kind.is("", "Pod")
        && quota.includes(&of, new)
        && let Some(unsaid) = quota.unsaid(new)
    {
        return refuse(format!("failed quota: {}: must specify {unsaid}", stored.name()));
    }
    let before = old.map(|old| quota.taken(&of, old, now)).unwrap_or_default();
    let growth = difference(&quota.taken(&of, new, now), &before);
    if growth.is_empty() {
        return Ok(None);
    }
    let used = match known_use(&stored, &quota) {
        Some(used) => used,
        None => count(visit, &quota),
    };
    let of_name =
        |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or(Quantity::ZERO);
    let exceeds = |name: &str, more: Quantity| {
        let most = of_name(quota.hard(), name);
        more > Quantity::ZERO && of_name(&used, name) + more > most
    };
    let over: Amounts = growth
        .iter()
        .filter(|(name, more)| exceeds(name, **more))
        .map(|(name, more)| (name.clone(), *more))
        .collect();
    if !over.is_empty() {
        let (used, most) = (told(over.keys(), &used), told(over.keys(), quota.hard()));
        let asked = told(over.keys(), &over);
        return refuse(format!(
            "exceeded quota: {}, requested: {asked}, used: {used}, limited: {most}",
            stored.name()
        ));
    }
    let mut used = used;
    amounts::add(&mut used, &growth);
    Ok(Some(Charge { item: Arc::clone(item), quota: with_use(&stored, &used) }))
}

/// What `new` has beyond `old`, and (below zero) the other way round.
fn difference(new: &Amounts, old: &Amounts) -> Amounts {
    let mut difference = new.clone();
    for (name, amount) in old {
        let own = difference.entry(name.clone()).or_insert(Quantity::ZERO);
        *own = *own - *amount;
    }
    difference.retain(|_, amount| !amount.is_zero());
    difference
}

/// The figures of a quota, if it has one for everything that it limits.
fn known_use(stored: &Object, quota: &Quota) -> Option<Amounts> {
    let mut used = amounts::of_list(stored.status().at("used"));
    used.retain(|name, _| quota.hard().contains_key(name));
    (used.len() == quota.hard().len()).then_some(used)
}

/// Counts what is there, for a quota that is so new that its controller has not.
fn count(visit: &Visit<'_>, quota: &Quota) -> Amounts {
    let mut resources: Vec<(GroupResource, Key)> = Vec::new();
    for kind in visit.door.registry.kinds() {
        let of = kind.group_resource();
        let is_known = resources.iter().any(|(known, _)| *known == of);
        if kind.namespaced && kind.is_stored() && !is_known && quota.counts(&of) {
            let storage = &kind.storage;
            let namespace = Some(visit.namespace());
            resources.push((of, Key::prefix(&storage.group, &storage.resource, namespace)));
        }
    }
    let objects = resources.iter().flat_map(|(of, prefix)| {
        let items = visit.snapshot.list(prefix, None, usize::MAX);
        items.map(move |item| (of, item.object()))
    });
    let objects: Vec<(&GroupResource, Arc<Object>)> = objects.collect();
    quota.total(objects.iter().map(|(of, object)| (*of, &**object)), visit.now.wall)
}

/// The quota with these figures.
fn with_use(stored: &Object, used: &Amounts) -> Object {
    let mut quota = stored.clone();
    quota.metadata_mut().remove("resourceVersion");
    let hard = quota.spec().at("hard").clone();
    let status = quota.0.make_map().entry_or_map("status");
    status.insert("hard", hard);
    let list = status.entry_or_map("used");
    list.retain(|name, _| used.contains_key(name.as_str()));
    for (name, amount) in used {
        let text = Value::from(amount.max(&Quantity::ZERO).to_string());
        if list.get(name) != Some(&text) {
            list.insert(name.as_str(), text);
        }
    }
    quota
}

/// `cpu=2,pods=1`: these names with their amounts.
fn told<'a>(names: impl Iterator<Item = &'a String>, amounts: &Amounts) -> String {
    let each = names.map(|name| {
        let amount = amounts.get(name).copied().unwrap_or(Quantity::ZERO);
        format!("{name}={amount}")
    });
    each.collect::<Vec<_>>().join(",")
}
