//! A configuration laid over an object, and what its owner dropped taken out of it.

use super::{
    FieldSet, Form, Place, Step,
    place::{Parts, parts},
};
use crate::Value;

/// The live value with everything that the configuration sets.
pub(super) fn merged(place: &impl Place, live: &Value, config: &Value) -> Value {
    match (parts(place, live), parts(place, config)) {
        (Parts::Fields(live, _), Parts::Fields(config, _)) => {
            let mut map = live.clone();
            for (name, value) in config.iter() {
                let new = match live.get(name) {
                    Some(was) => merged(&place.field(name), was, value),
                    None => value.clone(),
                };
                map.insert(name.clone(), new);
            }
            Value::Map(map)
        }
        (Parts::Items(live), Parts::Items(config)) => {
            Value::List(merged_items(&place.item(), &live, &config))
        }
        _ => config.clone(),
    }
}

/// Items stand in the order of the configuration; those that only the object has keep their place among the others.
fn merged_items(
    place: &impl Place,
    live: &[(Step, &Value)],
    config: &[(Step, &Value)],
) -> Vec<Value> {
    let has = |items: &[(Step, &Value)], step: &Step| items.iter().any(|(known, _)| known == step);
    let mut out = Vec::with_capacity(live.len() + config.len());
    let mut rest = live.iter().peekable();
    for (step, item) in config {
        // What stands before this item in the object, and is nobody's in the configuration.
        while let Some((_, item)) = rest.next_if(|(step, _)| !has(config, step)) {
            out.push((*item).clone());
        }
        let was = live.iter().find(|(known, _)| known == step);
        if was.is_some() {
            rest.next_if(|(known, _)| has(config, known));
        }
        out.push(was.map_or_else(|| (*item).clone(), |(_, was)| merged(place, was, item)));
    }
    let left = rest.filter(|(step, _)| !has(config, step));
    out.extend(left.map(|(_, item)| (*item).clone()));
    out
}

/// Takes out what `last` has and `kept` has not: what its owner dropped and nobody else owns.
pub(super) fn prune(place: &impl Place, value: &mut Value, last: &FieldSet, kept: &FieldSet) {
    match (place.form(), value) {
        (form @ (Form::Fields | Form::Entries | Form::Unknown), Value::Map(map)) => {
            let is_member = form != Form::Fields;
            map.retain(|name, value| {
                let inner = (&place.field(name), &Step::field(name));
                stays(inner, (value, is_member), last, kept)
            });
        }
        (Form::Set | Form::Keyed(_), value @ Value::List(_)) => {
            let Parts::Items(items) = parts(place, value) else { return };
            let steps: Vec<Step> = items.into_iter().map(|(step, _)| step).collect();
            let Value::List(items) = value else { return };
            let place = place.item();
            let mut steps = steps.iter();
            items.retain_mut(|item| {
                let Some(step) = steps.next() else { return true };
                stays((&place, step), (item, true), last, kept)
            });
        }
        _ => {}
    }
}

/// Prunes one child; whether it is still there. An item or entry is a member itself: when its last owner drops it, it
/// goes with everything in it.
fn stays(
    (place, step): (&impl Place, &Step),
    (value, is_member): (&mut Value, bool),
    last: &FieldSet,
    kept: &FieldSet,
) -> bool {
    let Some(dropped) = last.node(step) else { return true };
    match kept.node(step) {
        None if dropped.own => false,
        None => {
            prune(place, value, &dropped.below, &FieldSet::default());
            // What was there only to hold the dropped fields goes with them.
            !value.is_empty_value()
        }
        Some(others) if is_member && dropped.own && !others.own => false,
        Some(others) => {
            prune(place, value, &dropped.below, &others.below);
            true
        }
    }
}
