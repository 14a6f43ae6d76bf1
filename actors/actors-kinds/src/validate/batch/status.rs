//! The status of jobs.
//!
//! Spec: documentation, "Jobs", "job termination and cleanup"; API reference of `JobStatus`.

use super::{Errors, Spot, indexes};

/// Counts are counts, lists of indexes are lists, and what has ended has ended one way, for good.
pub(super) fn validate(root: &Spot<'_>, before: &Spot<'_>, out: &mut Errors) {
    let (status, old, spec) = (root.field("status"), before.field("status"), root.field("spec"));
    for name in ["active", "succeeded", "failed", "ready", "terminating"] {
        out.at_least(&status.field(name), 0);
    }
    validate_uncounted(&status.field("uncountedTerminatedPods"), out);
    let completions = spec.field("completions").int().unwrap_or(0);
    for name in ["completedIndexes", "failedIndexes"] {
        let list = status.field(name);
        if list.is_empty() {
            continue;
        }
        if spec.field("completionMode").text() != "Indexed" {
            out.invalid(&list, "is for jobs of the completion mode Indexed");
        } else if let Err(detail) = indexes::count(list.text(), completions) {
            out.invalid(&list, &detail);
        }
    }
    validate_end(&status, out);
    validate_endurance(&status, &old, out);
}

fn validate_uncounted(uncounted: &Spot<'_>, out: &mut Errors) {
    for list in ["succeeded", "failed"] {
        for uid in uncounted.each(list) {
            if uid.is_empty() {
                out.invalid(&uid, "must not be empty");
            }
        }
        out.distinct(uncounted, list);
    }
    let succeeded = uncounted.field("succeeded");
    for uid in uncounted.each("failed") {
        let is_twice = succeeded.value.as_list().is_some_and(|list| list.contains(uid.value));
        if is_twice && !uid.is_empty() {
            out.duplicate(&uid, uid.value);
        }
    }
}

/// Whether a condition holds.
fn holds(status: &Spot<'_>, name: &str) -> bool {
    status.each("conditions").any(|condition| {
        condition.field("type").text() == name && condition.field("status").text() == "True"
    })
}

/// A job is complete or failed, not both; only one that is complete has a time of completion.
fn validate_end(status: &Spot<'_>, out: &mut Errors) {
    let (is_complete, has_failed) = (holds(status, "Complete"), holds(status, "Failed"));
    let conditions = status.field("conditions");
    if is_complete && has_failed {
        out.invalid(&conditions, "cannot be Complete and Failed");
    }
    if holds(status, "Complete") && holds(status, "FailureTarget") {
        out.invalid(&conditions, "cannot be Complete and FailureTarget");
    }
    if has_failed && holds(status, "SuccessCriteriaMet") {
        out.invalid(&conditions, "cannot be Failed and SuccessCriteriaMet");
    }
    let end = status.field("completionTime");
    match (is_complete, end.is_set()) {
        (true, false) => out.required(&end, "a job that is complete has one"),
        (false, true) => out.invalid(&end, "is only for jobs that are complete"),
        _ => {}
    }
    let start = status.field("startTime");
    if (is_complete || has_failed) && !start.is_set() {
        out.required(&start, "a job that has ended has begun");
    }
    if end.is_set() && start.is_set() && end.text() < start.text() {
        out.invalid(&end, "must not be before `startTime`");
    }
    if (is_complete || has_failed) && status.field("active").int().unwrap_or(0) > 0 {
        out.invalid(&status.field("active"), "must be 0 for a job that has ended");
    }
}

/// What has ended stays ended, and when it ended stays.
fn validate_endurance(status: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    for name in ["Complete", "Failed"] {
        if holds(old, name) && !holds(status, name) {
            out.invalid(&status.field("conditions"), &format!("{name} cannot be taken back"));
        }
    }
    let (end, before) = (status.field("completionTime"), old.field("completionTime"));
    if before.is_set() && end.value != before.value {
        out.immutable(&end, &before);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::check_status_change;

    const JOB: &str = "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: d}, spec: {\
         completionMode: Indexed, completions: 3, manualSelector: true, selector: {matchLabels: {a: b}}, template: {\
         metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";
    const DONE: &str = "{startTime: '2026-01-01T00:00:00Z', completionTime: '2026-01-01T00:01:00Z', \
         conditions: [{type: Complete, status: 'True'}]}";

    #[test]
    fn counts_and_indexes_are_what_they_say() {
        let after = "{active: -1, failed: -1, completedIndexes: '0,3', failedIndexes: x, \
             uncountedTerminatedPods: {succeeded: [a, a, ''], failed: [a]}}";
        check_status_change(
            JOB,
            "{}",
            after,
            &expect![[r#"
            status.active: Invalid value: -1: must be greater than or equal to 0
            status.failed: Invalid value: -1: must be greater than or equal to 0
            status.uncountedTerminatedPods.succeeded[2]: Invalid value: "": must not be empty
            status.uncountedTerminatedPods.succeeded[1]: Duplicate value: "a"
            status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"
            status.completedIndexes: Invalid value: "0,3": the index 3 is not below the number of completions, 3
            status.failedIndexes: Invalid value: "x": "x" is not an index
        "#]],
        );
    }

    #[test]
    fn a_job_ends_once_and_one_way() {
        check_status_change(JOB, "{}", DONE, &expect![""]);
        let both =
            "{conditions: [{type: Complete, status: 'True'}, {type: Failed, status: 'True'}]}";
        check_status_change(
            JOB,
            "{}",
            both,
            &expect![[r#"
            status.conditions: Invalid value: [{"type":"Complete","status":"True"},{"type":"Failed","status":"True"}]: cannot be Complete and Failed
            status.completionTime: Required value: a job that is complete has one
            status.startTime: Required value: a job that has ended has begun
        "#]],
        );
        check_status_change(
            JOB,
            DONE,
            "{}",
            &expect![[r#"
            status.conditions: Invalid value: null: Complete cannot be taken back
            status.completionTime: Invalid value: null: field is immutable
        "#]],
        );
        let early = DONE
            .replace("00:01:00", "00:00:00")
            .replace("2026-01-01T00:00:00Z', comp", "2027-01-01T00:00:00Z', comp");
        check_status_change(
            JOB,
            "{}",
            &early,
            &expect![[r#"
            status.completionTime: Invalid value: "2026-01-01T00:00:00Z": must not be before `startTime`
        "#]],
        );
        check_status_change(
            JOB,
            "{}",
            "{completionTime: '2026-01-01T00:01:00Z'}",
            &expect![[r#"
            status.completionTime: Invalid value: "2026-01-01T00:01:00Z": is only for jobs that are complete
        "#]],
        );
    }
}
