//! How pods end.

use expect_test::expect_file;

use super::check;

#[test]
fn a_deleted_pod_is_withdrawn_asked_killed_and_taken_apart() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1"}],
            "initContainers":[{"name":"proxy","image":"web:1","restartPolicy":"Always"}]}"#,
        "update
         volumes
         sandbox
         image proxy
         started proxy
         image app
         started app
         delete 30
         +1 woken
         +29 woken
         exited app 137
         exited proxy 143
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/a_deleted_pod_is_withdrawn_asked_killed_and_taken_apart.txt"],
    );
}

#[test]
fn a_hook_runs_before_the_stop_and_withdrawal_shortens_the_wait() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1","lifecycle":{
            "postStart":{"exec":{"command":["warm"]}},"preStop":{"sleep":{"seconds":3}}}}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         hook-done app post-start
         delete 30
         withdrawn
         +3 hook-done app pre-stop
         exited app 0
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/a_hook_runs_before_the_stop_and_withdrawal_shortens_the_wait.txt"],
    );
}

#[test]
fn a_hook_that_takes_all_the_time_leaves_two_seconds() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1",
            "lifecycle":{"preStop":{"exec":{"command":["x"]}}}}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         delete 4
         +4 woken
         +2 woken
         exited app 137",
        &expect_file!["traces/a_hook_that_takes_all_the_time_leaves_two_seconds.txt"],
    );
}

#[test]
fn a_pod_that_ran_to_its_end_leaves_its_status_and_nothing_else() {
    check(
        r#"{"restartPolicy":"Never",
            "containers":[{"name":"a","image":"web:1"},{"name":"b","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image a
         image b
         started a
         started b
         exited a 0
         exited b 3
         sandbox-gone
         volumes-gone
         restart-agent
         update
         volumes-gone
         delete 30",
        &expect_file!["traces/a_pod_that_ran_to_its_end_leaves_its_status_and_nothing_else.txt"],
    );
}

#[test]
fn a_failed_init_container_fails_a_pod_that_may_not_restart() {
    check(
        r#"{"restartPolicy":"Never","initContainers":[{"name":"setup","image":"web:1"}],
            "containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image setup
         started setup
         exited setup 1
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/a_failed_init_container_fails_a_pod_that_may_not_restart.txt"],
    );
}

#[test]
fn a_pod_over_its_active_deadline_is_stopped_and_has_failed() {
    check(
        r#"{"activeDeadlineSeconds":60,"containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         +60 woken
         exited app 143
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/a_pod_over_its_active_deadline_is_stopped_and_has_failed.txt"],
    );
}

#[test]
fn a_pod_deleted_by_force_is_stopped_within_two_seconds_and_reports_nothing() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         vanished
         +2 woken
         exited app 137
         sandbox-gone
         volumes-gone",
        &expect_file![
            "traces/a_pod_deleted_by_force_is_stopped_within_two_seconds_and_reports_nothing.txt"
        ],
    );
}

#[test]
fn what_is_left_of_a_pod_that_nobody_knows_is_removed() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1"}]}"#,
        "adopt app#0
         vanished
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/what_is_left_of_a_pod_that_nobody_knows_is_removed.txt"],
    );
}

#[test]
fn a_shorter_grace_period_counts_from_when_it_is_seen() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         image app
         started app
         delete 300
         withdrawn
         +5 delete 3
         +3 woken
         exited app 137",
        &expect_file!["traces/a_shorter_grace_period_counts_from_when_it_is_seen.txt"],
    );
}

#[test]
fn a_pod_deleted_while_it_is_set_up_is_taken_apart_when_it_stands() {
    check(
        r#"{"containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         delete 30
         sandbox
         sandbox-gone
         volumes
         volumes-gone",
        &expect_file!["traces/a_pod_deleted_while_it_is_set_up_is_taken_apart_when_it_stands.txt"],
    );
}
