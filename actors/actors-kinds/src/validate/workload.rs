//! Workloads that keep pods; here Deployments and `ReplicaSet`s, and what all of them share.
//!
//! Spec: documentation, "deployments", "replica set"; API reference of `DeploymentSpec`.

mod daemon_set;
mod replication_controller;
mod stateful_set;

use actors_object::IntOrPercent;

use super::{Errors, PLAIN, Rules, Spot, pod, selector};

/// The rules of the other workloads.
pub(super) const RULES: &[Rules] = &[
    Rules {
        group: "apps",
        kind: "StatefulSet",
        create: stateful_set::validate_new,
        object: stateful_set::validate,
        change: stateful_set::validate_change,
        status: stateful_set::validate_status,
        ..PLAIN
    },
    Rules {
        group: "apps",
        kind: "DaemonSet",
        object: daemon_set::validate,
        change: validate_selector_change,
        status: daemon_set::validate_status,
        ..PLAIN
    },
    Rules {
        kind: "ReplicationController",
        object: replication_controller::validate,
        status: replication_controller::validate_status,
        ..PLAIN
    },
];

/// A Deployment.
pub(super) fn validate_deployment(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.at_least(&spec.field("replicas"), 0);
    selector::validate_workload(&spec, out);
    validate_template(&spec, out);
    validate_strategy(&spec.field("strategy"), out);
    let ready = spec.field("minReadySeconds");
    out.at_least(&ready, 0);
    out.at_least(&spec.field("revisionHistoryLimit"), 0);
    let deadline = spec.field("progressDeadlineSeconds");
    out.at_least(&deadline, 0);
    if deadline.is_set() && deadline.int() <= ready.int().or(Some(0)) {
        out.invalid(&deadline, "must be greater than minReadySeconds");
    }
}

/// A `ReplicaSet`.
pub(super) fn validate_replica_set(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.at_least(&spec.field("replicas"), 0);
    out.at_least(&spec.field("minReadySeconds"), 0);
    selector::validate_workload(&spec, out);
    validate_template(&spec, out);
}

/// The template of pods that are replaced when they end, so that they must restart always.
fn validate_template(spec: &Spot<'_>, out: &mut Errors) {
    let template = spec.field("template");
    if !template.is_set() {
        out.required(&template, "");
        return;
    }
    pod::validate_template(&template, out);
    let pod = template.field("spec");
    let policy = pod.field("restartPolicy");
    if !policy.is_empty() && policy.text() != "Always" {
        out.one_of(&policy, &["Always"]);
    }
    if pod.field("activeDeadlineSeconds").is_set() {
        let deadline = pod.field("activeDeadlineSeconds");
        out.forbidden(&deadline, "pods that restart always have no deadline");
    }
}

/// How pods are replaced: some number more or fewer than wanted, but not neither.
fn validate_strategy(strategy: &Spot<'_>, out: &mut Errors) {
    let (sort, rolling) = (strategy.field("type"), strategy.field("rollingUpdate"));
    out.one_of_required(&sort, &["Recreate", "RollingUpdate"]);
    match sort.text() {
        "Recreate" if rolling.is_set() => {
            out.forbidden(&rolling, "belongs to the strategy RollingUpdate");
        }
        "RollingUpdate" if !rolling.is_set() => {
            out.required(&rolling, "");
        }
        "RollingUpdate" => validate_rolling(&rolling, out),
        _ => {}
    }
}

fn validate_rolling(rolling: &Spot<'_>, out: &mut Errors) {
    let (surge, unavailable) = (rolling.field("maxSurge"), rolling.field("maxUnavailable"));
    validate_share(&unavailable, out);
    validate_share(&surge, out);
    if is_zero(&surge) && is_zero(&unavailable) {
        out.invalid(&unavailable, "must not be 0 while `maxSurge` is 0: nothing could move");
    }
    let percent = IntOrPercent::from_value(unavailable.value);
    if matches!(percent, Some(IntOrPercent::Percent(percent)) if percent > 100) {
        out.invalid(&unavailable, "must not exceed 100%");
    }
}

/// A count that is not negative, or a percentage.
fn validate_share(share: &Spot<'_>, out: &mut Errors) {
    match IntOrPercent::from_value(share.value) {
        None => out.invalid(share, "must be a whole number or a percentage, such as 25%"),
        Some(IntOrPercent::Int(_)) => out.at_least(share, 0),
        Some(IntOrPercent::Percent(_)) => {}
    }
}

fn is_zero(share: &Spot<'_>) -> bool {
    matches!(
        IntOrPercent::from_value(share.value),
        Some(IntOrPercent::Int(0) | IntOrPercent::Percent(0))
    )
}

/// The selector never changes: other pods would be orphaned.
pub(super) fn validate_selector_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    out.immutable(&new.field("selector"), &old.field("selector"));
}

/// Counts fit each other.
pub(super) fn validate_deployment_status(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    validate_counts(
        &status,
        &[
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
        ],
        out,
    );
    for name in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        not_more_than(&status, name, "replicas", out);
    }
    not_more_than(&status, "availableReplicas", "readyReplicas", out);
    never_shrinks(&status, &old.field("status"), "collisionCount", out);
}

/// A count that is only added to.
fn never_shrinks(status: &Spot<'_>, before: &Spot<'_>, name: &str, out: &mut Errors) {
    let count = status.field(name);
    if count.int().unwrap_or(0) < before.field(name).int().unwrap_or(0) {
        out.invalid(&count, "must not shrink");
    }
}

/// Counts fit each other.
pub(super) fn validate_replica_set_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    validate_counts(
        &status,
        &["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        out,
    );
    for name in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        not_more_than(&status, name, "replicas", out);
    }
    not_more_than(&status, "availableReplicas", "readyReplicas", out);
}

fn validate_counts(status: &Spot<'_>, names: &[&str], out: &mut Errors) {
    names.iter().for_each(|name| out.at_least(&status.field(name), 0));
    out.at_least(&status.field("observedGeneration"), 0);
}

fn not_more_than(status: &Spot<'_>, part: &str, whole: &str, out: &mut Errors) {
    let count = |name: &str| status.field(name).int().unwrap_or(0);
    if count(part) > count(whole) {
        out.invalid(&status.field(part), &format!("cannot be greater than {whole}"));
    }
}

#[cfg(test)]
mod tests;
