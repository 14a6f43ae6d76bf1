//! Strategic merge patch: a merge patch that knows which lists are maps in disguise.
//!
//! Spec: Kubernetes documentation, "Update API Objects in Place Using kubectl patch", and the
//! directives `$patch`, `$retainKeys`, `$setElementOrder/FIELD`, `$deleteFromPrimitiveList/FIELD`.

use std::collections::{BTreeMap, BTreeSet};

use super::{PatchFacts, PatchSchema};
use crate::{ApiError, Map, Value, json};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch. On an error the target is unchanged.
///
/// # Errors
/// 400 if the patch is not one: a directive of the wrong form, or an item without its merge key.
pub fn strategic_merge(
    target: &mut Value,
    patch: &Value,
    schema: &dyn PatchSchema,
) -> Result<(), ApiError> {
    let Value::Map(fields) = patch else {
        return Err(ApiError::bad_request("a strategic merge patch must be an object"));
    };
    let mut changed = target.take();
    let original = changed.clone();
    let result = Merge { schema, path: Vec::new() }.map(changed.make_map(), fields);
    *target = if result.is_ok() { changed } else { original };
    result
}

struct Merge<'a> {
    schema: &'a dyn PatchSchema,
    /// Names of the fields on the way from the root.
    path: Vec<&'a str>,
}

/// What `$patch` says about the map in which it stands.
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl<'a> Merge<'a> {
    fn facts(&self) -> PatchFacts<'a> {
        self.schema.patch_facts(&self.path)
    }

    fn map(&mut self, target: &mut Map, patch: &'a Map) -> Result<(), ApiError> {
        match directive(patch)? {
            Directive::Replace => {
                *target = Map::new();
                return self.fields(target, patch);
            }
            Directive::Delete => {
                *target = Map::new();
                return Ok(());
            }
            Directive::Merge => {}
        }
        if let Some(kept) = patch.get(RETAIN_KEYS) {
            retain_keys(target, patch, kept)?;
        }
        self.fields(target, patch)
    }

    fn fields(&mut self, target: &mut Map, patch: &'a Map) -> Result<(), ApiError> {
        let mut done = BTreeSet::new();
        for (name, change) in patch.iter() {
            let field = match name.as_str() {
                PATCH | RETAIN_KEYS => continue,
                other => list_directive(other).unwrap_or(other),
            };
            if !done.insert(field) {
                continue;
            }
            // A list's change may be spread over three fields: the items, their order, and what
            // goes.
            let change = if field == name.as_str() { Some(change) } else { patch.get(field) };
            self.path.push(field);
            let result = self.field(target, (field, change), patch);
            self.path.pop();
            result?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        target: &mut Map,
        (field, change): (&'a str, Option<&'a Value>),
        patch: &'a Map,
    ) -> Result<(), ApiError> {
        let order = directive_list(patch, ELEMENT_ORDER, field)?;
        let deleted = directive_list(patch, DELETE_PRIMITIVES, field)?;
        match change {
            Some(Value::Null) => {
                target.remove(field);
            }
            Some(Value::Map(fields)) => {
                let place = target.entry(field, || Value::Map(Map::new()));
                if self.facts().replace && directive_is_merge(fields)? {
                    *place = Value::Map(Map::new());
                }
                self.map(place.make_map(), fields)?;
            }
            Some(Value::List(items)) if self.facts().merge => {
                let place = target.entry(field, || Value::List(Vec::new())).make_list();
                self.list(place, (items, order, deleted))?;
            }
            None if self.facts().merge && target.contains_key(field) => {
                let place = target.entry(field, || Value::List(Vec::new())).make_list();
                self.list(place, (&[], order, deleted))?;
            }
            None => {}
            Some(other) => {
                target.insert(field, other);
            }
        }
        Ok(())
    }

    fn list(&mut self, target: &mut Vec<Value>, change: Change<'a>) -> Result<(), ApiError> {
        match self.facts().merge_key {
            Some(key) => self.keyed_list(target, change, key),
            None => {
                merge_scalars(target, change);
                Ok(())
            }
        }
    }

    fn keyed_list(
        &mut self,
        target: &mut Vec<Value>,
        (items, order, _): Change<'a>,
        key: &'a str,
    ) -> Result<(), ApiError> {
        let server_order = ranks(target, Some(key));
        let replaces = |item: &&Value| item.at(PATCH).as_str() == Some("replace");
        if items.iter().any(|item| replaces(&item)) {
            target.clear();
        }
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (at, item) in target.iter().enumerate() {
            places.entry(identity(item, Some(key))).or_insert(at);
        }
        let mut deleted = BTreeSet::new();
        for item in items {
            let fields = item.as_map().ok_or_else(|| self.wrong("expected a list of objects"))?;
            let only_directive = fields.len() == 1 && fields.contains_key(PATCH);
            if only_directive && !matches!(directive(fields)?, Directive::Delete) {
                continue;
            }
            if !fields.contains_key(key) {
                return Err(self.wrong(&format!("map does not contain declared merge key: {key}")));
            }
            let id = identity(item, Some(key));
            if matches!(directive(fields)?, Directive::Delete) {
                deleted.insert(id);
                continue;
            }
            let at = *places.entry(id).or_insert_with(|| {
                target.push(Value::Map(Map::new()));
                target.len() - 1
            });
            self.map(target[at].make_map(), fields)?;
        }
        target.retain(|item| !deleted.contains(&identity(item, Some(key))));
        if let Some(order) = order {
            reorder(target, order, (&server_order, Some(key)));
        }
        Ok(())
    }

    fn wrong(&self, why: &str) -> ApiError {
        ApiError::bad_request(format!(
            "invalid strategic merge patch at {}: {why}",
            self.path.join(".")
        ))
    }
}

/// The items, `$setElementOrder`, `$deleteFromPrimitiveList` of one list.
type Change<'a> = (&'a [Value], Option<&'a [Value]>, Option<&'a [Value]>);

fn merge_scalars(target: &mut Vec<Value>, (items, order, deleted): Change<'_>) {
    let server_order = ranks(target, None);
    let gone: BTreeSet<String> =
        deleted.unwrap_or_default().iter().map(|item| identity(item, None)).collect();
    let mut seen = BTreeSet::new();
    target.extend(items.iter().cloned());
    target.retain(|item| {
        let id = identity(item, None);
        !gone.contains(&id) && seen.insert(id)
    });
    if let Some(order) = order {
        reorder(target, order, (&server_order, None));
    }
}

/// Puts the items that `order` names into that order. The others keep their order among themselves,
/// and each stays before the ordered items that the server had behind it.
fn reorder(
    target: &mut Vec<Value>,
    order: &[Value],
    (server_order, key): (&BTreeMap<String, usize>, Option<&str>),
) {
    let wanted = ranks(order, key);
    let (mut ordered, others): (Vec<Value>, Vec<Value>) =
        target.drain(..).partition(|item| wanted.contains_key(&identity(item, key)));
    ordered.sort_by_key(|item| wanted.get(&identity(item, key)).copied());
    let server_rank = |item: &Value| server_order.get(&identity(item, key)).copied();
    let mut ordered = ordered.into_iter().peekable();
    for other in others {
        let before = |item: &Value| match (server_rank(item), server_rank(&other)) {
            (Some(ours), Some(theirs)) => ours < theirs,
            _ => false,
        };
        while let Some(item) = ordered.next_if(before) {
            target.push(item);
        }
        target.push(other);
    }
    target.extend(ordered);
}

/// Where each item stands; of equal ones the first counts.
fn ranks(items: &[Value], key: Option<&str>) -> BTreeMap<String, usize> {
    let mut ranks = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        ranks.entry(identity(item, key)).or_insert(at);
    }
    ranks
}

/// What tells an item apart: the JSON text of its merge key, or of itself.
fn identity(item: &Value, key: Option<&str>) -> String {
    json::to_string(key.map_or(item, |key| item.at(key)))
}

fn directive(patch: &Map) -> Result<Directive, ApiError> {
    match patch.get(PATCH).map(Value::as_str) {
        None | Some(Some("merge")) => Ok(Directive::Merge),
        Some(Some("replace")) => Ok(Directive::Replace),
        Some(Some("delete")) => Ok(Directive::Delete),
        Some(other) => {
            let found = other.unwrap_or("a value that is no string");
            Err(ApiError::bad_request(format!("unknown patch type found: {found}")))
        }
    }
}

fn directive_is_merge(patch: &Map) -> Result<bool, ApiError> {
    directive(patch).map(|found| matches!(found, Directive::Merge))
}

fn list_directive(name: &str) -> Option<&str> {
    name.strip_prefix(ELEMENT_ORDER).or_else(|| name.strip_prefix(DELETE_PRIMITIVES))
}

fn directive_list<'a>(
    patch: &'a Map,
    prefix: &str,
    field: &str,
) -> Result<Option<&'a [Value]>, ApiError> {
    match patch.get(&format!("{prefix}{field}")) {
        None => Ok(None),
        Some(Value::List(items)) => Ok(Some(items)),
        Some(_) => Err(ApiError::bad_request(format!("{prefix}{field} must be a list"))),
    }
}

/// Of the target only the named keys stay; the patch may set none that is not named.
fn retain_keys(target: &mut Map, patch: &Map, kept: &Value) -> Result<(), ApiError> {
    let Value::List(kept) = kept else {
        return Err(ApiError::bad_request("$retainKeys must be a list"));
    };
    let kept: BTreeSet<&str> = kept.iter().filter_map(Value::as_str).collect();
    let plain = |name: &str| !name.starts_with('$');
    let stray = patch
        .iter()
        .find(|(name, value)| plain(name) && !value.is_null() && !kept.contains(name.as_str()));
    if let Some((name, _)) = stray {
        let why = format!("the key {:?} is set but missing from $retainKeys", name.as_str());
        return Err(ApiError::bad_request(why));
    }
    target.retain(|name, _| kept.contains(name.as_str()));
    Ok(())
}
