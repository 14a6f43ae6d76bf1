//! Children that are restarted together, and supervisors that end with their children.

use actors_core::{AutoShutdown, ChildSpec, ExitReason, OnLimit, Restart, Strategy};
use actors_runtime::{Child, Fault, Tree};

use crate::{Event, World, ended, spec, tree};

/// A service that says when it comes and when it goes.
fn orderly(world: &World, name: &'static str) -> Child {
    let said = world.said.clone();
    Child::service(move |service| {
        let said = said.clone();
        async move {
            said.say(format!("{name} up"));
            service.stopping().await;
            said.say(format!("{name} down"));
            Ok(())
        }
    })
}

fn group(world: &World, strategy: Strategy) -> Tree {
    let of = |tree: Tree, name| tree.child(spec(name), orderly(world, name));
    let empty = tree("root", 5, OnLimit::Escalate).strategy(strategy);
    ["a", "b", "c"].into_iter().fold(empty, of)
}

async fn all_running(world: &World) {
    let is_up = |node: &actors_runtime::Node| node.state == actors_runtime::NodeState::Running;
    while !world.system.tree().iter().all(is_up) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_for_all_stops_all_in_reverse_order_and_starts_all_again() {
    let mut world = World::new();
    let root = world.run(group(&world, Strategy::OneForAll)).await;
    world.expect(&["a up", "b up", "c up"]).await;
    all_running(&world).await;
    world.system.inject("root/b", Fault::Panic).unwrap();
    world.expect(&["c down", "a down", "a up", "b up", "c up"]).await;
    all_running(&world).await;
    let restarts = ["root/a", "root/b", "root/c"].map(|path| world.node(path).unwrap().restarts);
    assert_eq!(restarts, [1, 1, 1]);
    root.shutdown().await;
    world.expect(&["c down", "b down", "a down"]).await;
}

#[tokio::test]
async fn rest_for_one_leaves_those_before_alone() {
    let mut world = World::new();
    let _root = world.run(group(&world, Strategy::RestForOne)).await;
    world.expect(&["a up", "b up", "c up"]).await;
    all_running(&world).await;
    world.system.kill("root/b").unwrap();
    world.expect(&["c down", "b up", "c up"]).await;
    all_running(&world).await;
    let restarts = ["root/a", "root/b", "root/c"].map(|path| world.node(path).unwrap().restarts);
    assert_eq!(restarts, [0, 1, 1]);
}

#[tokio::test]
async fn a_group_that_fails_too_often_fails_its_supervisor() {
    let mut world = World::new();
    let tree = tree("root", 0, OnLimit::Escalate)
        .strategy(Strategy::OneForAll)
        .child(spec("a"), orderly(&world, "a"))
        .child(spec("b"), orderly(&world, "b"));
    let root = world.run(tree).await;
    world.expect(&["a up", "b up"]).await;
    all_running(&world).await;
    world.system.inject("root/a", Fault::Error).unwrap();
    world.expect(&["b down"]).await;
    assert_eq!(ended(&root).await, ExitReason::Error("a failed too often".into()));
}

#[tokio::test]
async fn a_supervisor_ends_with_its_significant_children() {
    for (auto, ends_with_first) in
        [(AutoShutdown::AnySignificant, true), (AutoShutdown::AllSignificant, false)]
    {
        let mut world = World::new();
        let significant =
            |name| ChildSpec { restart: Restart::Transient, ..spec(name) }.significant();
        let tree = tree("root", 5, OnLimit::Escalate)
            .auto_shutdown(auto)
            .child(spec("stays"), orderly(&world, "stays"))
            .child(significant("a"), world.probe("a"))
            .child(significant("b"), world.probe("b"));
        let root = world.run(tree).await;
        // A service's body begins when its start is over.
        let mut ups = [world.hear().await, world.hear().await, world.hear().await];
        ups.sort();
        assert_eq!(ups, ["a#1 up", "b#1 up", "stays up"]);
        all_running(&world).await;
        // A failure is restarted, and ends nobody.
        world.tell("root/a", Event::Boom).await;
        world.expect(&["a#2 up"]).await;
        all_running(&world).await;
        world.tell("root/a", Event::End).await;
        if !ends_with_first {
            world.tell("root/b", Event::Note(1)).await;
            world.expect(&["b: 1"]).await;
            world.tell("root/b", Event::End).await;
        }
        world.expect(&["stays down"]).await;
        assert_eq!(ended(&root).await, ExitReason::Shutdown);
    }
}
