//! How pods come up and stay up.

use expect_test::expect_file;

use super::check;

/// One app without probes.
const PLAIN: &str = r#"{"containers":[{"name":"app","image":"web:1"}]}"#;

#[test]
fn a_pod_comes_up_and_a_crashing_container_backs_off() {
    check(
        PLAIN,
        "update
         image app
         sandbox
         volumes
         started app
         +1 exited app 1
         image app
         started app
         +1 exited app 1
         +10 woken
         image app
         started app
         +1 exited app 137oom
         +20 woken
         image app
         started app
         +600 exited app 0
         image app
         started app",
        &expect_file!["traces/a_pod_comes_up_and_a_crashing_container_backs_off.txt"],
    );
}

#[test]
fn init_containers_run_in_order_and_sidecars_start_before_their_successors() {
    check(
        r#"{"initContainers":[{"name":"first","image":"web:1"},
            {"name":"proxy","image":"web:1","restartPolicy":"Always",
             "startupProbe":{"tcpSocket":{"port":80},"periodSeconds":1}},
            {"name":"second","image":"web:1"}],
            "containers":[{"name":"app","image":"web:1"}],"restartPolicy":"OnFailure"}"#,
        "update
         volumes
         sandbox
         image first
         started first
         exited first 1
         image first
         started first
         exited first 0
         image proxy
         started proxy
         bad proxy startup
         +1 woken
         ok proxy startup
         image second
         started second
         exited second 0
         image app
         started app
         exited proxy 1
         image proxy
         started proxy
         exited app 0
         exited proxy 143
         sandbox-gone
         volumes-gone",
        &expect_file![
            "traces/init_containers_run_in_order_and_sidecars_start_before_their_successors.txt"
        ],
    );
}

#[test]
fn a_missing_image_is_named_and_looked_for_again() {
    check(
        r#"{"containers":[{"name":"app","image":"wbe:1"}]}"#,
        "update
         missing app web:1 busybox:1
         +10 woken
         missing app web:1
         images-changed
         image app",
        &expect_file!["traces/a_missing_image_is_named_and_looked_for_again.txt"],
    );
    check(
        r#"{"containers":[{"name":"app","image":"wbe:1","imagePullPolicy":"Never"}]}"#,
        "update
         missing app",
        &expect_file!["traces/a_missing_image_is_named_and_looked_for_again_2.txt"],
    );
}

#[test]
fn probes_gate_traffic_and_restart_what_hangs() {
    check(
        r#"{"terminationGracePeriodSeconds":5,"containers":[{"name":"app","image":"web:1",
            "readinessProbe":{"httpGet":{"port":80,"path":"/ready"},
                "periodSeconds":5,"failureThreshold":1},
            "livenessProbe":{"exec":{"command":["true"]},
                "initialDelaySeconds":3,"failureThreshold":2}}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         ok app readiness
         +3 woken
         ok app liveness
         +2 woken
         bad app readiness
         +8 woken
         bad app liveness
         +10 woken
         bad app liveness
         +5 woken
         exited app 137
         image app",
        &expect_file!["traces/probes_gate_traffic_and_restart_what_hangs.txt"],
    );
}

#[test]
fn what_keeps_a_pod_from_being_set_up_is_said_once_and_tried_again() {
    check(
        PLAIN,
        "update
         sandbox-failed no-address-left
         volumes-failed secret-missing
         +2 woken
         volumes-failed secret-missing
         sandbox
         +2 woken
         volumes
         image app
         failed app config secret-missing
         +5 woken
         image app
         failed app start no-such-file",
        &expect_file!["traces/what_keeps_a_pod_from_being_set_up_is_said_once_and_tried_again.txt"],
    );
}

#[test]
fn a_restarted_agent_adopts_what_runs_and_loses_no_exit_code() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         adopt app#0
         update
         volumes
         +5 exited app 3
         restart-agent
         adopt app#0=3
         update
         volumes
         image app",
        &expect_file!["traces/a_restarted_agent_adopts_what_runs_and_loses_no_exit_code.txt"],
    );
}

#[test]
fn a_sandbox_that_was_killed_is_built_again() {
    check(
        r#"{"initContainers":[{"name":"setup","image":"web:1"}],
            "containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image setup
         started setup
         exited setup 0
         image app
         started app
         sandbox-gone
         sandbox
         image setup
         started setup
         exited setup 0
         image app
         started app",
        &expect_file!["traces/a_sandbox_that_was_killed_is_built_again.txt"],
    );
}

#[test]
fn after_a_reboot_a_pod_that_may_not_restart_has_failed() {
    check(
        r#"{"restartPolicy":"Never","containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         adopt -
         update
         volumes-gone
         delete 30",
        &expect_file!["traces/after_a_reboot_a_pod_that_may_not_restart_has_failed.txt"],
    );
}

#[test]
fn a_changed_image_replaces_the_container() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         set-image web:2
         exited app 143
         image app
         started app",
        &expect_file!["traces/a_changed_image_replaces_the_container.txt"],
    );
}

#[test]
fn nothing_is_decided_before_it_is_known_what_runs() {
    check(
        PLAIN,
        "early update
         delete 30
         adopt app#0",
        &expect_file!["traces/nothing_is_decided_before_it_is_known_what_runs.txt"],
    );
}
