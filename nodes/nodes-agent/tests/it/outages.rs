//! Without servers, after a verdict, behind a fence.

use std::sync::atomic::Ordering;

use actors_object::{Object, Value, value};

use super::{
    LOGIN, LogRequest, POD, SETTINGS, is_ready, logs, node::Node, on_a_node, read, restarts, status,
};

/// The container's own process.
const MAIN: &str = "while :";

async fn with_pod(node: &Node, pod: Value) {
    node.api.put("configmaps", read(SETTINGS));
    node.api.put("secrets", read(LOGIN));
    node.api.put("pods", pod);
    node.until("the pod is ready", is_ready).await;
}

/// How the life before this one ended.
fn last_reason(pod: &Object) -> Option<&str> {
    status(pod, "app").str_at(&["lastState", "terminated", "reason"])
}

#[test]
fn an_agent_without_any_server_keeps_up_what_it_runs_and_starts_nothing_else() {
    on_a_node("outage", |mut node| async move {
        with_pod(&node, read(POD)).await;
        node.api.set_down(true);
        node.restart().await;
        node.running("test/agent/pods/shop/web/uid-web").await;
        let killed = node.kill_first_process(MAIN);
        let is_new = |node: &Node| node.process(MAIN).is_some_and(|pid| pid != killed);
        node.until_seen("it was started again without a server", is_new).await;
        node.api.set_down(false);
        let pod = node.until("it is told", |pod| restarts(pod) == 1 && is_ready(pod)).await;
        assert_eq!(status(&pod, "app").i64_at(&["lastState", "terminated", "exitCode"]), Some(137));
        let said = logs(&node, LogRequest::default()).await;
        assert_eq!(said, "hello world\n", "with the environment that it had");

        // After a loss of power a pod may have been replaced: it waits for a server's word.
        node.api.set_down(true);
        node.stop().await;
        node.lose_power();
        node.begin().await;
        node.running("test/agent/pods/shop/web/uid-web").await;
        let before = node.api.refused.load(Ordering::SeqCst);
        let asks = |node: &Node| node.api.refused.load(Ordering::SeqCst) > before + 10;
        node.until_seen("the agent has asked again and again", asks).await;
        assert_eq!(node.process(""), None, "nothing runs");
        node.api.set_down(false);
        let pod = node.until("it is made again", |pod| restarts(pod) == 2 && is_ready(pod)).await;
        assert_eq!(last_reason(&pod), Some("ContainerStatusUnknown"));

        // What was replaced while the machine was off never starts again.
        node.api.set_down(true);
        node.stop().await;
        node.lose_power();
        node.api.take("pods", "shop", "web");
        node.begin().await;
        node.api.set_down(false);
        node.until_seen("all of it is removed", Node::is_clean).await;
        assert_eq!(node.process(MAIN), None);
        node.finish().await;
    });
}

#[test]
fn a_node_that_returns_is_ready_when_nothing_runs_of_what_was_replaced() {
    on_a_node("return", |node| async move {
        // It does not listen, so that its end takes a while.
        with_pod(&node, read(&POD.replace("echo bye; exit 0", ":"))).await;
        node.api.set_down(true);
        let mut given_up = node.api.get("nodes", "", "n1").unwrap().0.clone();
        let unknown = value!([{ "type": "Ready", "status": "Unknown" }]);
        given_up.set_path(&["status", "conditions"], unknown);
        node.api.put("nodes", given_up);
        node.api.take("pods", "shop", "web");
        assert!(node.process(MAIN).is_some(), "it runs on through the outage");
        node.api.set_down(false);
        let is_back = |node: &Node| is_ready(&node.api.get("nodes", "", "n1").unwrap());
        node.until_seen("the node is ready again", is_back).await;
        assert_eq!(node.process(MAIN), None, "nothing ran of it when the node said so");
        node.until_seen("all of it is removed", Node::is_clean).await;
        node.finish().await;
    });
}

fn with_fence() -> Value {
    let mut pod = read(POD);
    pod.set_path(&["metadata", "annotations"], value!({ "starling.dev/fence-after": "15s" }));
    pod
}

#[test]
fn a_fence_kills_while_the_agent_is_dead() {
    on_a_node("fence-dead", |mut node| async move {
        with_pod(&node, with_fence()).await;
        node.stop().await;
        node.until_seen("its shim has killed the pod", |node| node.process(MAIN).is_none()).await;
        node.begin().await;
        let pod = node.until("it is made again", |pod| restarts(pod) == 1 && is_ready(pod)).await;
        assert_eq!(last_reason(&pod), Some("Fenced"));
        node.finish().await;
    });
}

#[test]
fn a_fence_kills_on_a_node_that_is_given_up_and_nothing_starts_there() {
    on_a_node("fence-verdict", |node| async move {
        with_pod(&node, with_fence()).await;
        let mark = |taints: Value| {
            let mut marked = node.api.get("nodes", "", "n1").unwrap().0.clone();
            marked.set_path(&["spec", "taints"], taints);
            node.api.put("nodes", marked);
        };
        mark(value!([{ "key": "starling.dev/node-dead", "effect": "NoExecute" }]));
        node.until_event("Fenced", "no server confirmed in time").await;
        assert_eq!(node.process(MAIN), None);
        node.until_event("FailedCreatePodSandBox", "no server confirms").await;
        assert_eq!(node.process(MAIN), None, "it waits for the node to be taken back");
        mark(value!([]));
        let pod = node.until("it is made again", |pod| restarts(pod) == 1 && is_ready(pod)).await;
        assert_eq!(last_reason(&pod), Some("Fenced"));
        node.finish().await;
    });
}
