//! Jobs, and the jobs that a cron job makes.
//!
//! Spec: documentation, "Jobs"; API reference of `JobSpec`; KEP-3329 (failure policy), KEP-3850 (limits per index),
//! KEP-3998 (success policy), KEP-4368 (managed by), KEP-2214 (indexed jobs), KEP-2232 (suspended jobs).

use actors_object::{LabelSelector, Value, names, value};

use super::{Errors, Spot, policies};
use crate::validate::{domain, is_same, pod, selector};

/// The most pods of an indexed job at once, and the most of one with many indexes.
const PARALLEL_MAX: i64 = 100_000;
const PARALLEL_MAX_OF_MANY: i64 = 10_000;

/// A job.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let selector = spec.field("selector");
    if selector.is_set() {
        selector::validate(&selector, out);
        let template = spec.field("template");
        let metadata = template.field("metadata");
        let labels = metadata.field("labels");
        let read = LabelSelector::from_value(selector.value, &selector.path());
        if read.is_ok_and(|read| !read.matches(labels.value)) {
            out.invalid(&labels, "the selector does not select these labels");
        }
    } else {
        out.required(&selector, "");
    }
    validate_spec(&spec, out);
}

/// A new job: its pods' names must be names of machines if they are numbered, and its selector is its own.
pub(super) fn validate_new(root: &Spot<'_>, out: &mut Errors) {
    let (spec, metadata) = (root.field("spec"), root.field("metadata"));
    let (selector, uid) = (spec.field("selector"), metadata.field("uid"));
    if !spec.field("manualSelector").is_true() && *selector.value != own_selector(uid.text()) {
        out.invalid(&selector, "is made by the server, unless `manualSelector` is true");
    }
    let completions = spec.field("completions").int().unwrap_or(0);
    if spec.field("completionMode").text() == "Indexed" && completions > 0 {
        let name = metadata.field("name");
        let last = format!("{}-{}", name.text(), completions - 1);
        if !names::dns1123_label(&last).is_empty() {
            out.invalid(
                &name,
                "with an index after it, must be a lower case name of at most 63 characters",
            );
        }
    }
}

/// The selector that the server gives a job.
pub(crate) fn own_selector(uid: &str) -> Value {
    value!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } })
}

/// What holds for a job, and for the template of one.
pub(super) fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    for name in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        out.at_least(&spec.field(name), 0);
    }
    validate_manager(&spec.field("managedBy"), out);
    let mode = spec.field("completionMode");
    out.one_of(&mode, &["Indexed", "NonIndexed"]);
    if mode.text() == "Indexed" {
        validate_indexed(spec, out);
    } else {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
            let field = spec.field(name);
            if field.is_set() {
                out.invalid(&field, "needs `completionMode: Indexed`");
            }
        }
    }
    let per_index = spec.field("backoffLimitPerIndex");
    if spec.field("maxFailedIndexes").is_set() && !per_index.is_set() {
        out.required(&per_index, "must be set, since `maxFailedIndexes` is");
    }
    let replacement = spec.field("podReplacementPolicy");
    let allowed: &[&str] = match spec.field("podFailurePolicy").is_set() {
        true => &["Failed"],
        false => &["Failed", "TerminatingOrFailed"],
    };
    out.one_of(&replacement, allowed);
    policies::validate_success(spec, out);
    policies::validate_failure(spec, out);
    validate_template(spec, out);
}

/// Who looks after the job: a name with a domain before it.
fn validate_manager(manager: &Spot<'_>, out: &mut Errors) {
    if manager.is_set() {
        out.too_long(manager, 63);
        out.check_required(manager, domain::prefixed_path);
    }
}

fn validate_indexed(spec: &Spot<'_>, out: &mut Errors) {
    let (completions, parallel) = (spec.field("completions"), spec.field("parallelism"));
    let Some(count) = completions.int() else {
        out.required(&completions, "must be set for the completion mode Indexed");
        return;
    };
    let failed = spec.field("maxFailedIndexes");
    if failed.int().is_some_and(|most| most > count) {
        out.invalid(&failed, "must be at most `completions`");
    }
    if parallel.int().is_some_and(|most| most > PARALLEL_MAX) {
        out.invalid(&parallel, &format!("must be at most {PARALLEL_MAX} for the mode Indexed"));
    }
    if count > PARALLEL_MAX && spec.field("backoffLimitPerIndex").is_set() {
        let detail = format!("must be at most {PARALLEL_MAX_OF_MANY} with that many completions");
        if !failed.is_set() {
            out.required(
                &failed,
                &format!("must be set with more than {PARALLEL_MAX} completions"),
            );
        }
        for field in [&parallel, &failed] {
            if field.int().is_some_and(|most| most > PARALLEL_MAX_OF_MANY) {
                out.invalid(field, &detail);
            }
        }
    }
}

/// Pods that end: they restart on failure or never.
fn validate_template(spec: &Spot<'_>, out: &mut Errors) {
    let template = spec.field("template");
    pod::validate_template(&template, out);
    let inner = template.field("spec");
    let policy = inner.field("restartPolicy");
    match policy.text() {
        // What a template says that says nothing.
        "Always" => out.required(&policy, "valid values: \"OnFailure\", \"Never\""),
        _ => out.one_of(&policy, &["Never", "OnFailure"]),
    }
    if spec.field("podFailurePolicy").is_set() && policy.text() != "Never" {
        out.invalid(&policy, "must be Never, since there is a `podFailurePolicy`");
    }
    if spec.field("backoffLimitPerIndex").is_set() && policy.text() != "Never" {
        out.invalid(&policy, "must be Never, since there is a `backoffLimitPerIndex`");
    }
}

/// What of a job may change: how many pods at once, whether it is suspended, and limits of time.
pub(super) fn validate_change(root: &Spot<'_>, before: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (root.field("spec"), before.field("spec"));
    validate_completions(&new, &old, out);
    out.immutable(&new.field("selector"), &old.field("selector"));
    validate_template_change(&new, before, out);
    for name in
        ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        out.immutable(&new.field(name), &old.field(name));
    }
}

/// An indexed job can be scaled: as many completions as pods at once, before and after.
fn validate_completions(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (count, before) = (new.field("completions"), old.field("completions"));
    if is_same(count.value, before.value) {
        return;
    }
    let is_indexed = [new, old].iter().all(|it| it.field("completionMode").text() == "Indexed");
    if !is_indexed {
        out.immutable(&count, &before);
        return;
    }
    if !count.is_set() || count.int() != new.field("parallelism").int() {
        out.invalid(&count, "may only change together with `parallelism`, to the same number");
    }
}

/// Of a job that is suspended and has not begun, what steers its pods to machines may still change.
fn validate_template_change(new: &Spot<'_>, before: &Spot<'_>, out: &mut Errors) {
    let old = before.field("spec");
    let has_begun = !before.value.at("status").at("startTime").is_null();
    let is_open = old.field("suspend").is_true() && !has_begun;
    let template = new.field("template");
    let mut compared = template.value.clone();
    if is_open {
        for path in [
            &["metadata", "annotations"][..],
            &["metadata", "labels"],
            &["spec", "affinity", "nodeAffinity"],
            &["spec", "nodeSelector"],
            &["spec", "schedulingGates"],
            &["spec", "tolerations"],
        ] {
            match old.value.path(&[&["template"][..], path].concat()) {
                Some(value) => compared.set_path(path, value.clone()),
                None => drop(compared.remove_path(path)),
            }
        }
    }
    if !is_same(&without_empty(&compared), &without_empty(old.value.at("template"))) {
        out.invalid(&template, "field is immutable");
    }
}

/// A tree without empty maps, which say what absent ones say.
fn without_empty(value: &Value) -> Value {
    let mut copy = value.clone();
    if let Some(map) = copy.as_map_mut() {
        for (_, inner) in map.iter_mut() {
            *inner = without_empty(inner);
        }
        map.retain(|_, inner| !inner.is_empty_value());
    }
    copy
}

#[cfg(test)]
mod tests;
