//! Jobs and cron jobs.

use actors_object::{Map, Value};

use super::{Row, inner, pod, workload::take_labels};

/// The defaults of these kinds.
pub(super) const DEFAULTS: &[Row] =
    &[("batch", "Job", default_job), ("batch", "CronJob", default_cron_job)];

fn default_job(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    default_spec(spec);
    let labels = spec.get("template").and_then(|template| template.path(&["metadata", "labels"]));
    if let Some(labels) = labels.filter(|labels| !labels.is_empty_value()).cloned() {
        take_labels(root, labels);
    }
}

/// A Job: one pod, once, six attempts.
fn default_spec(spec: &mut Map) {
    // Without either, one pod runs once; with one of them, the other is derived from how the job is used.
    if is_unset(spec, "completions") && is_unset(spec, "parallelism") {
        spec.set_default("completions", 1);
    }
    spec.set_default("parallelism", 1);
    if is_unset(spec, "backoffLimit") {
        // With limits per index, the job as a whole has none.
        let limit = if is_unset(spec, "backoffLimitPerIndex") { 6 } else { i64::from(i32::MAX) };
        spec.insert("backoffLimit", limit);
    }
    spec.set_default("completionMode", "NonIndexed");
    spec.set_default("suspend", false);
    spec.set_default("manualSelector", false);
    if is_unset(spec, "podReplacementPolicy") {
        // A failure policy must know how a pod ended before another takes its place.
        let policy =
            if is_unset(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
        spec.insert("podReplacementPolicy", policy);
    }
    default_failure_policy(spec);
    if let Some(pod) = inner(spec, "template").and_then(|template| inner(template, "spec")) {
        pod::default_spec(pod);
    }
}

/// Conditions of a rule are true unless it says otherwise.
fn default_failure_policy(spec: &mut Map) {
    let rules = spec.get_mut("podFailurePolicy").and_then(|policy| policy.get_mut("rules"));
    for rule in rules.and_then(Value::as_list_mut).into_iter().flatten() {
        let conditions = rule.get_mut("onPodConditions").and_then(Value::as_list_mut);
        for condition in conditions.into_iter().flatten().filter_map(Value::as_map_mut) {
            condition.set_default("status", "True");
        }
    }
}

/// A `CronJob`: runs may overlap, three good and one failed are kept.
fn default_cron_job(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("concurrencyPolicy", "Allow");
    spec.set_default("suspend", false);
    spec.set_default("successfulJobsHistoryLimit", 3);
    spec.set_default("failedJobsHistoryLimit", 1);
    let job = inner(spec, "jobTemplate").and_then(|template| inner(template, "spec"));
    if let Some(pod) = job.and_then(|job| inner(job, "template")) {
        inner(pod, "spec").into_iter().for_each(pod::default_spec);
    }
}

fn is_unset(spec: &Map, field: &str) -> bool {
    spec.get(field).is_none_or(Value::is_null)
}
