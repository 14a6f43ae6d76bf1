//! Tolerations, affinity, spreading, gates.

use expect_test::expect;

use super::check_spec;

#[test]
fn tolerations_are_consistent() {
    check_spec(
        "tolerations: [{operator: Equal}, {key: a, operator: Exists, value: b}, \
         {key: a, tolerationSeconds: 5, effect: NoSchedule}, {key: 'a b', operator: x, effect: z}, \
         {operator: Exists}]",
        &expect![[r#"
            spec.tolerations[0].operator: Invalid value: "Equal": must be Exists, since the key is empty
            spec.tolerations[1].value: Invalid value: "b": must be empty, since the operator Exists takes any value
            spec.tolerations[2].effect: Invalid value: "NoSchedule": must be NoExecute, since `tolerationSeconds` is set
            spec.tolerations[3].key: Invalid value: "a b": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.tolerations[3].operator: Unsupported value: "x": supported values: "Equal", "Exists"
            spec.tolerations[3].effect: Unsupported value: "z": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"
        "#]],
    );
}

#[test]
fn node_affinity_has_terms_with_operators() {
    check_spec(
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}",
        &expect![[r#"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: needs a term
        "#]],
    );
    check_spec(
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
         {matchExpressions: [{key: a, operator: In}, {key: b, operator: Exists, values: [c]}, \
         {key: d, operator: Gt, values: ['1', '2']}, {operator: X}], \
         matchFields: [{key: spec.x, operator: Gt, values: [a, b]}]}]}, \
         preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {}}]}}",
        &expect![[r#"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: the operators In and NotIn need values
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Forbidden: the operators Exists and DoesNotExist take no values
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values: Required value: the operators Gt and Lt need one value
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[3].key: Required value
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[3].operator: Unsupported value: "X": supported values: "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "spec.x": only metadata.name can be selected on
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator: Unsupported value: "Gt": supported values: "In", "NotIn"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values: Required value: a selector of fields needs one value
            spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be between 1 and 100, inclusive
        "#]],
    );
}

#[test]
fn pod_affinity_has_a_topology() {
    check_spec(
        "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [\
         {labelSelector: {matchLabels: {a: b}}, matchLabelKeys: [x]}, {topologyKey: zone, matchLabelKeys: [x]}]}, \
         podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [\
         {weight: 101, podAffinityTerm: {topologyKey: 'a b', namespaces: [A]}}]}}",
        &expect![[r#"
            spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: must not be empty
            spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].matchLabelKeys: Forbidden: needs a labelSelector beside it
            spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be between 1 and 100, inclusive
            spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.namespaces[0]: Invalid value: "A": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Invalid value: "a b": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
        "#]],
    );
}

#[test]
fn spreading_has_a_skew_and_a_topology() {
    check_spec(
        "topologySpreadConstraints: [{}, \
         {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, minDomains: 2, nodeTaintsPolicy: x}]",
        &expect![[r#"
            spec.topologySpreadConstraints[0].maxSkew: Invalid value: null: must be greater than zero
            spec.topologySpreadConstraints[0].topologyKey: Required value: must not be empty
            spec.topologySpreadConstraints[0].whenUnsatisfiable: Required value: must be one of DoNotSchedule, ScheduleAnyway
            spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: belongs to `whenUnsatisfiable: DoNotSchedule`
            spec.topologySpreadConstraints[1].nodeTaintsPolicy: Unsupported value: "x": supported values: "Honor", "Ignore"
        "#]],
    );
}

#[test]
fn gates_have_qualified_names_once() {
    check_spec(
        "schedulingGates: [{name: a/b}, {name: a/b}, {name: 'c d'}]",
        &expect![[r#"
            spec.schedulingGates[2].name: Invalid value: "c d": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.schedulingGates[1].name: Duplicate value: "a/b"
        "#]],
    );
}
