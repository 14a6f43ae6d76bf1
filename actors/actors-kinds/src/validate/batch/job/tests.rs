//! Rules of jobs, one by one.

mod change;

use expect_test::expect;

use crate::validate::testing::check_create;

/// A good one, with some lines of its spec added.
fn job(more: &str) -> String {
    format!(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, namespace: d}}, spec: {{{more} manualSelector: true, \
         selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{\
         restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}}}"
    )
}

#[test]
fn numbers_are_not_negative() {
    check_create(&job(""), &expect![""]);
    let numbers = "parallelism: -1, completions: -1, activeDeadlineSeconds: -1, backoffLimit: -1, \
         ttlSecondsAfterFinished: -1,";
    check_create(
        &job(numbers),
        &expect![[r#"
        spec.parallelism: Invalid value: -1: must be greater than or equal to 0
        spec.completions: Invalid value: -1: must be greater than or equal to 0
        spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0
        spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn pods_of_a_job_end() {
    check_create(
        &job("").replace("Never", "Always"),
        &expect![[r#"
        spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
    "#]],
    );
    check_create(
        &job("").replace("Never", "Sometimes"),
        &expect![[r#"
        spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"
        spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Never", "OnFailure"
    "#]],
    );
}

#[test]
fn the_selector_selects_the_template() {
    check_create(
        &job("").replace("labels: {a: b}}, spec", "labels: {a: c}}, spec"),
        &expect![[r#"
        spec.template.metadata.labels: Invalid value: {"a":"c"}: the selector does not select these labels
    "#]],
    );
    check_create(
        &job("").replace("selector: {matchLabels: {a: b}}, ", ""),
        &expect![[r#"
        spec.selector: Required value
    "#]],
    );
}

#[test]
fn indexes_need_the_mode_and_a_count() {
    check_create(
        &job("completionMode: Indexed, parallelism: 2,"),
        &expect![[r#"
        spec.completions: Required value: must be set for the completion mode Indexed
    "#]],
    );
    check_create(
        &job("completionMode: Random,"),
        &expect![[r#"
        spec.completionMode: Unsupported value: "Random": supported values: "Indexed", "NonIndexed"
    "#]],
    );
    let limits = "backoffLimitPerIndex: 1, maxFailedIndexes: 1,";
    check_create(
        &job(limits),
        &expect![[r#"
        spec.backoffLimitPerIndex: Invalid value: 1: needs `completionMode: Indexed`
        spec.maxFailedIndexes: Invalid value: 1: needs `completionMode: Indexed`
    "#]],
    );
    let indexed = "completionMode: Indexed, completions: 2, maxFailedIndexes: 3,";
    check_create(
        &job(indexed),
        &expect![[r#"
        spec.maxFailedIndexes: Invalid value: 3: must be at most `completions`
        spec.backoffLimitPerIndex: Required value: must be set, since `maxFailedIndexes` is
    "#]],
    );
    check_create(
        &job("completionMode: Indexed, completions: 2, parallelism: 100001,"),
        &expect![[r#"
        spec.parallelism: Invalid value: 100001: must be at most 100000 for the mode Indexed
    "#]],
    );
    let many = "completionMode: Indexed, completions: 100001, parallelism: 10001, backoffLimitPerIndex: 1,";
    check_create(
        &job(many),
        &expect![[r#"
        spec.maxFailedIndexes: Required value: must be set with more than 100000 completions
        spec.parallelism: Invalid value: 10001: must be at most 10000 with that many completions
    "#]],
    );
    let name = format!("name: {}", "j".repeat(62));
    let long = job("completionMode: Indexed, completions: 20,").replace("name: j", &name);
    check_create(
        &long,
        &expect![[r#"
        metadata.name: Invalid value: "jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj": with an index after it, must be a lower case name of at most 63 characters
    "#]],
    );
}

#[test]
fn a_manager_has_a_domain() {
    check_create(&job("managedBy: acme.io/foo,"), &expect![""]);
    check_create(
        &job("managedBy: foo,"),
        &expect![[r#"
        spec.managedBy: Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/foo")
    "#]],
    );
    check_create(
        &job(&format!("managedBy: acme.io/{},", "f".repeat(60))),
        &expect![[r#"
        spec.managedBy: Too long: may not be more than 63 bytes
    "#]],
    );
}

#[test]
fn a_failure_policy_matches_codes_or_conditions() {
    let policy = |rules: &str| job(&format!("podFailurePolicy: {{rules: [{rules}]}},"));
    check_create(
        &policy("{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}"),
        &expect![""],
    );
    check_create(
        &policy("{action: Stop}, {action: FailIndex, onPodConditions: [{status: Maybe}]}"),
        &expect![[r#"
        spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore"
        spec.podFailurePolicy.rules[0]: Invalid value: {"action":"Stop"}: needs one of onExitCodes and onPodConditions
        spec.podFailurePolicy.rules[1].action: Invalid value: "FailIndex": needs the `backoffLimitPerIndex`
        spec.podFailurePolicy.rules[1].onPodConditions[0].type: Required value
        spec.podFailurePolicy.rules[1].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"
    "#]],
    );
    check_create(
        &policy(
            "{action: FailJob, onExitCodes: {operator: In, containerName: x, values: [2, 0, 2]}}",
        ),
        &expect![[r#"
            spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the containers or init containers of the template
            spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 2
            spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0,2]: must be in order
            spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the operator In
        "#]],
    );
    check_create(
        &policy(
            "{action: FailJob, onExitCodes: {operator: Is, values: []}, onPodConditions: [{type: A}]}",
        ),
        &expect![[r#"
            spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"
            spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []: needs a value
            spec.podFailurePolicy.rules[0]: Invalid value: {"action":"FailJob","onExitCodes":{"operator":"Is","values":[]},"onPodConditions":[{"type":"A","status":"True"}]}: takes onExitCodes or onPodConditions, not both
        "#]],
    );
    let always =
        policy("{action: Count, onPodConditions: [{type: A}]}").replace("Never", "OnFailure");
    check_create(
        &always,
        &expect![[r#"
        spec.template.spec.restartPolicy: Invalid value: "OnFailure": must be Never, since there is a `podFailurePolicy`
    "#]],
    );
    let replaced = policy("")
        .replace("podFailurePolicy", "podReplacementPolicy: TerminatingOrFailed, podFailurePolicy");
    check_create(
        &replaced,
        &expect![[r#"
        spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"
    "#]],
    );
}

#[test]
fn a_success_policy_counts_what_there_is() {
    let policy = |rules: &str| {
        job(&format!(
            "completionMode: Indexed, completions: 4, successPolicy: {{rules: [{rules}]}},"
        ))
    };
    check_create(&policy("{succeededIndexes: '0,2-3', succeededCount: 2}"), &expect![""]);
    check_create(
        &policy(""),
        &expect![[r#"
        spec.successPolicy.rules: Required value: needs a rule
    "#]],
    );
    check_create(
        &policy("{}, {succeededIndexes: '4'}, {succeededCount: 5}"),
        &expect![[r#"
        spec.successPolicy.rules[0]: Required value: needs succeededCount or succeededIndexes
        spec.successPolicy.rules[1].succeededIndexes: Invalid value: "4": the index 4 is not below the number of completions, 4
        spec.successPolicy.rules[2].succeededCount: Invalid value: 5: must be at most 4, the number of indexes it counts
    "#]],
    );
    check_create(
        &policy("{succeededIndexes: '0-1', succeededCount: 3}"),
        &expect![[r#"
        spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be at most 2, the number of indexes it counts
    "#]],
    );
    check_create(
        &job("successPolicy: {rules: [{succeededCount: 1}]},"),
        &expect![[r#"
        spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: needs `completionMode: Indexed`
    "#]],
    );
}

#[test]
fn a_selector_is_made_by_the_server_unless_it_is_given_by_hand() {
    let made = job("").replace("manualSelector: true, ", "");
    check_create(
        &made,
        &expect![[r#"
        spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: is made by the server, unless `manualSelector` is true
    "#]],
    );
}
