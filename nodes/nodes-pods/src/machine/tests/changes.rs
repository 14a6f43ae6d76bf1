//! What changes in a pod that runs: containers that look at it, and its resources.

use expect_test::expect_file;

use super::check;

const PLAIN: &str = r#"{"containers":[{"name":"app","image":"web:1"}]}"#;
const SIZED: &str = r#"{"containers":[
    {"name":"app","image":"web:1","resources":{"requests":{"cpu":"1"}}}]}"#;
const STRICT: &str = r#"{"containers":[{"name":"app","image":"web:1",
    "resources":{"requests":{"cpu":"1","memory":"1Gi"}},
    "resizePolicy":[{"resourceName":"memory","restartPolicy":"RestartContainer"}]}]}"#;

#[test]
fn an_ephemeral_container_starts_once_and_never_again() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         image app
         started app
         debug look
         image look
         started look
         exited look 3
         +60 woken
         restart-agent
         adopt app#0 look#0=3
         update
         volumes
         sandbox-gone
         volumes
         sandbox
         image app
         started app",
        &expect_file!["traces/an_ephemeral_container_starts_once_and_never_again.txt"],
    );
}

#[test]
fn an_ephemeral_container_waits_for_the_one_that_it_looks_at() {
    check(
        PLAIN,
        "update
         volumes
         sandbox
         debug look app
         image app
         started app
         image look
         started look
         delete 30
         withdrawn
         exited app 0
         exited look 0
         sandbox-gone
         volumes-gone",
        &expect_file!["traces/an_ephemeral_container_waits_for_the_one_that_it_looks_at.txt"],
    );
}

#[test]
fn an_ephemeral_container_starts_where_others_cannot() {
    check(
        r#"{"initContainers":[{"name":"first","image":"web:1"}],
            "containers":[{"name":"app","image":"web:1"}]}"#,
        "update
         volumes
         sandbox
         missing first other:1
         debug look
         image look
         started look",
        &expect_file!["traces/an_ephemeral_container_starts_where_others_cannot.txt"],
    );
}

#[test]
fn resources_change_in_place_when_the_node_has_room() {
    check(
        SIZED,
        "update
         volumes
         sandbox
         image app
         started app
         resize cpu=2
         no-room-now full
         +5 woken
         room
         resized
         restart-agent
         adopt app#0
         update
         resize cpu=9
         never-room small
         resize cpu=2",
        &expect_file!["traces/resources_change_in_place_when_the_node_has_room.txt"],
    );
}

#[test]
fn a_change_that_fails_is_tried_again_and_the_next_life_has_what_was_granted() {
    check(
        SIZED,
        "update
         volumes
         sandbox
         image app
         started app
         resize cpu=2
         room
         resize-failed busy
         +5 woken
         resized
         resize cpu=3
         exited app 1
         image app
         started app
         room
         resized",
        &expect_file![
            "traces/a_change_that_fails_is_tried_again_and_the_next_life_has_what_was_granted.txt"
        ],
    );
}

#[test]
fn a_container_whose_policy_demands_it_is_restarted() {
    check(
        STRICT,
        "update
         volumes
         sandbox
         image app
         started app
         resize cpu=2
         room
         resized
         resize memory=2Gi
         room
         resized
         exited app 143
         image app
         started app",
        &expect_file!["traces/a_container_whose_policy_demands_it_is_restarted.txt"],
    );
}
