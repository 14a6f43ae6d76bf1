//! Pods without a server, and pods that their fence has killed.

use expect_test::expect_file;

use super::check;

const PLAIN: &str = r#"{"containers":[{"name":"app","image":"web:1"}]}"#;

#[test]
fn a_restarted_agent_without_a_server_keeps_up_what_runs_and_makes_no_sandbox() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         recall
         adopt app#0
         volumes
         +5 exited app 1
         image app
         started app
         sandbox-gone
         +60 woken
         update",
        &expect_file![
            "traces/a_restarted_agent_without_a_server_keeps_up_what_runs_and_makes_no_sandbox.txt"
        ],
    );
}

#[test]
fn after_a_power_loss_nothing_is_decided_before_a_server_speaks() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         recall
         adopt -
         +60 woken
         update",
        &expect_file!["traces/after_a_power_loss_nothing_is_decided_before_a_server_speaks.txt"],
    );
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         recall
         adopt -
         vanished
         volumes-gone",
        &expect_file!["traces/after_a_power_loss_nothing_is_decided_before_a_server_speaks_2.txt"],
    );
}

#[test]
fn a_fenced_pod_is_made_again_only_when_a_fresh_read_confirms_it() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         +40 fenced
         image app
         update
         confirmed
         sandbox
         started app",
        &expect_file!["traces/a_fenced_pod_is_made_again_only_when_a_fresh_read_confirms_it.txt"],
    );
}

#[test]
fn a_fenced_pod_that_was_replaced_goes() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         +40 fenced
         vanished
         volumes-gone",
        &expect_file!["traces/a_fenced_pod_that_was_replaced_goes.txt"],
    );
}

#[test]
fn an_agent_that_was_dead_when_the_fence_fired_says_so() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         restart-agent
         recall
         +40 adopt fenced app#0=137
         update",
        &expect_file!["traces/an_agent_that_was_dead_when_the_fence_fired_says_so.txt"],
    );
}

#[test]
fn what_should_have_been_gone_long_ago_is_killed_at_once() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         delete-overdue
         +2 woken
         exited app 137
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/what_should_have_been_gone_long_ago_is_killed_at_once.txt"],
    );
}
