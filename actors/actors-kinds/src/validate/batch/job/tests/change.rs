//! What of a job may change.

use expect_test::expect;

use super::job;
use crate::validate::testing::check_update;

#[test]
fn most_of_a_job_stays_what_it_was() {
    check_update(
        &job(""),
        &job("parallelism: 4, suspend: true, backoffLimit: 1, completions: 1,"),
        &expect![""],
    );
    check_update(
        &job("completions: 1,"),
        &job("completions: 2,"),
        &expect![[r#"
        spec.completions: Invalid value: 2: field is immutable
    "#]],
    );
    check_update(
        &job(""),
        &job("completionMode: Indexed,"),
        &expect![[r#"
        spec.completionMode: Invalid value: "Indexed": field is immutable
    "#]],
    );
    check_update(
        &job(""),
        &job("").replace("image: i", "image: j"),
        &expect![[r#"
        spec.template: Invalid value: {"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"j","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}}: field is immutable
    "#]],
    );
    check_update(
        &job(""),
        &job("managedBy: acme.io/foo,"),
        &expect![[r#"
        spec.managedBy: Invalid value: "acme.io/foo": field is immutable
    "#]],
    );
}

#[test]
fn an_indexed_job_is_scaled_with_its_parallelism() {
    let indexed = |count: u8, parallel: u8| {
        job(&format!("completionMode: Indexed, completions: {count}, parallelism: {parallel},"))
    };
    check_update(&indexed(2, 2), &indexed(3, 3), &expect![""]);
    check_update(
        &indexed(2, 2),
        &indexed(3, 2),
        &expect![[r#"
        spec.completions: Invalid value: 3: may only change together with `parallelism`, to the same number
    "#]],
    );
}

#[test]
fn pods_of_a_job_that_has_not_begun_may_be_sent_elsewhere() {
    let steered = |suspended: bool| {
        job(&format!("suspend: {suspended},"))
            .replace("containers", "nodeSelector: {zone: a}, containers")
    };
    check_update(&job("suspend: true,"), &steered(true), &expect![""]);
    check_update(&job("suspend: true,"), &steered(false), &expect![""]);
    check_update(
        &job("suspend: false,"),
        &steered(false),
        &expect![[r#"
        spec.template: Invalid value: {"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":"Never","nodeSelector":{"zone":"a"},"containers":[{"name":"c","image":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}}: field is immutable
    "#]],
    );
}
