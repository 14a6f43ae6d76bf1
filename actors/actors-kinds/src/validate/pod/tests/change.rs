//! What of a pod may change.

use expect_test::{Expect, expect};

use super::pod;
use crate::validate::testing::check_update;

fn check(old: &str, new: &str, expected: &Expect) {
    let spec = |fields: &str| pod(&format!("{{containers: [{{name: c, image: i}}], {fields}}}"));
    check_update(&spec(old), &spec(new), expected);
}

#[test]
fn images_change() {
    check_update(
        &pod("{containers: [{name: c, image: i}]}"),
        &pod("{containers: [{name: c, image: j, imagePullPolicy: Always}]}"),
        &expect![""],
    );
}

#[test]
fn other_fields_of_containers_do_not() {
    check_update(
        &pod("{containers: [{name: c, image: i}]}"),
        &pod("{containers: [{name: c, image: i, args: [x]}]}"),
        &expect![[r#"
            spec.containers[0].args: Forbidden: of a pod's container only the image can change
        "#]],
    );
    check_update(
        &pod("{containers: [{name: c, image: i}]}"),
        &pod("{containers: [{name: c, image: i}, {name: d, image: i}]}"),
        &expect![[r#"
            spec.containers: Forbidden: containers of a pod cannot be added or removed
        "#]],
    );
}

#[test]
fn fields_of_the_spec_do_not() {
    check(
        "",
        "hostNetwork: true, serviceAccountName: x",
        &expect![[r#"
        spec.hostNetwork: Forbidden: pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add tolerations
        spec.serviceAccount: Forbidden: pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add tolerations
        spec.serviceAccountName: Forbidden: pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add tolerations
    "#]],
    );
}

#[test]
fn a_deadline_is_only_shortened() {
    check("activeDeadlineSeconds: 10", "activeDeadlineSeconds: 5", &expect![""]);
    check(
        "activeDeadlineSeconds: 10",
        "activeDeadlineSeconds: 15",
        &expect![[r#"
            spec.activeDeadlineSeconds: Invalid value: 15: a deadline can only be shortened
        "#]],
    );
    check(
        "activeDeadlineSeconds: 10",
        "",
        &expect![[r#"
            spec.activeDeadlineSeconds: Invalid value: null: a deadline cannot be taken away
        "#]],
    );
}

#[test]
fn tolerations_are_only_added() {
    check("", "tolerations: [{key: a, operator: Exists}]", &expect![""]);
    check(
        "tolerations: [{key: a, operator: Exists}]",
        "",
        &expect![[r#"
            spec.tolerations: Forbidden: tolerations may be added; of those there are, only tolerationSeconds may change
        "#]],
    );
    check(
        "tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]",
        "tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 9}]",
        &expect![""],
    );
}

#[test]
fn gates_are_only_removed_and_selectors_change_while_they_hold() {
    check("schedulingGates: [{name: a/b}]", "nodeSelector: {a: b}", &expect![""]);
    check(
        "",
        "schedulingGates: [{name: a/b}]",
        &expect![[r#"
            spec.schedulingGates[0]: Forbidden: gates can only be removed
        "#]],
    );
    check(
        "",
        "nodeSelector: {a: b}",
        &expect![[r#"
        spec.nodeSelector: Invalid value: {"a":"b"}: field is immutable
    "#]],
    );
}
