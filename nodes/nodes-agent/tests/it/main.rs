//! A whole agent with real containers against an API in memory. Needs root, busybox and nft; says
//! so and passes without. Each test is a node of its own, in a network namespace of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed step of a test must stop it, wherever it happens"
)]

mod api;
mod machines;
mod node;
mod outages;

use std::{sync::Arc, time::Duration};

use actors_object::{Object, Value, json};
use nodes_client::{ExecExit, ExecInput, ExecOutput, ExecRequest, LogRequest, NodeStreams as _};

use self::node::{Node, on_a_node};

/// A pod that uses most of what an agent offers.
const SETTINGS: &str = r#"{"kind": "ConfigMap", 
    "metadata": {"name": "settings", "namespace": "shop"}, "data": {"who": "world"}}"#;

const LOGIN: &str = r#"{"kind": "Secret", "metadata": {"name": "login", "namespace": "shop"},
    "type": "Opaque", "data": {"password": "czNjcmV0"}}"#;

const POD: &str = include_str!("pod.json");

fn read(text: &str) -> Value {
    json::from_slice(text.as_bytes()).unwrap()
}

fn status<'a>(pod: &'a Object, container: &str) -> &'a Value {
    let all = pod.0.list_at(&["status", "containerStatuses"]).iter();
    all.clone()
        .find(|one| one.at("name").as_str() == Some(container))
        .unwrap_or(const { &Value::Null })
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.0.list_at(&["status", "conditions"]).iter();
    conditions.clone().any(|one| {
        one.at("type").as_str() == Some("Ready") && one.at("status").as_str() == Some("True")
    })
}

fn restarts(pod: &Object) -> i64 {
    status(pod, "app").at("restartCount").as_i64().unwrap_or(0)
}

async fn exec(node: &Node, script: &str) -> (String, ExecExit) {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let request = ExecRequest {
        namespace: "shop".into(),
        pod: "web".into(),
        container: "app".into(),
        command,
        stdin: true,
        ..ExecRequest::default()
    };
    let mut stream = node.agent.handle().exec(request).await.unwrap();
    stream.input.send(ExecInput::Stdin("typed\n".into())).await.unwrap();
    stream.input.send(ExecInput::StdinEnd).await.unwrap();
    let mut text = String::new();
    loop {
        match stream.output.recv().await.unwrap() {
            ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes) => {
                text.push_str(&String::from_utf8_lossy(&bytes))
            }
            ExecOutput::Exit(exit) => return (text, exit),
        }
    }
}

async fn logs(node: &Node, request: LogRequest) -> String {
    let request = LogRequest {
        namespace: "shop".into(),
        pod: "web".into(),
        container: "app".into(),
        ..request
    };
    let mut stream = node.agent.handle().logs(request).await.unwrap();
    let mut text = String::new();
    while let Some(piece) = stream.pieces.recv().await {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

#[test]
fn a_pod_lives_through_everything_and_leaves_nothing() {
    on_a_node("life", |mut node| async move {
        node.api.put("configmaps", read(SETTINGS));
        node.api.put("secrets", read(LOGIN));
        node.api.put("pods", read(POD));
        let pod = node.until("the pod is ready", is_ready).await;
        assert_eq!(pod.0.str_at(&["status", "phase"]), Some("Running"));

        let script = "read x; echo $x; cat /etc/settings/who /all/secret/word /all/token; \
                      cat /all/labels; echo; \
                      stat -c %a /all/secret/word; hostname; grep -c web-0 /etc/hosts; exit 7";
        let (text, exit) = exec(&node, script).await;
        assert_eq!(text, "typed\nworlds3creta-tokenapp=\"web\"\n400\nweb-0\n1\n");
        assert_eq!(exit, ExecExit::Code(7));
        assert!(node.fetch(8088).await.contains("made"), "by its port of the node");
        assert_eq!(logs(&node, LogRequest::default()).await, "hello world\n");

        // Killed from outside: started again, and its last words are kept.
        node.kill_first_process("while :");
        let pod = node.until("it runs again", |pod| restarts(pod) == 1 && is_ready(pod)).await;
        assert_eq!(status(&pod, "app").i64_at(&["lastState", "terminated", "exitCode"]), Some(137));
        assert_eq!(
            logs(&node, LogRequest { previous: true, ..LogRequest::default() }).await,
            "hello world\n"
        );

        // The agent dies and comes back: the container does not notice.
        let before = status(&pod, "app").at("containerID").clone();
        node.restart().await;
        let pod = node.until("it is known again", is_ready).await;
        assert_eq!((status(&pod, "app").at("containerID"), restarts(&pod)), (&before, 1));

        // Nor does it notice the end of any actor: its own, or that of all pods.
        for path in ["test/agent/pods/shop/web/uid-web", "test/agent/pods", "test/agent/watch"] {
            node.running(path).await;
            node.system.kill(path).unwrap();
        }
        node.running("test/agent/pods/shop/web/uid-web").await;
        assert_eq!(node.pod().map(|pod| restarts(&pod)), Some(1));

        // Nor does it notice an outage of the API; what happens meanwhile is told afterwards.
        node.api.set_down(true);
        node.kill_first_process("while :");
        node.api.set_down(false);
        node.until("the restart is told", |pod| restarts(pod) == 2 && is_ready(pod)).await;

        // The shim is killed: the pod is built again.
        node.kill_first_process("starling-agent-test");
        let pod =
            node.until("the pod is built again", |pod| restarts(pod) == 3 && is_ready(pod)).await;
        let ips = pod.0.list_at(&["status", "podIPs"]);
        assert_eq!((ips.len(), ips[0].at("ip")), (1, pod.0.at("status").at("podIP")));

        let follow = logs(&node, LogRequest { follow: true, ..LogRequest::default() });
        let delete = async {
            let mut pod = node.pod().unwrap().0.clone();
            pod.set_path(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z");
            pod.set_path(&["metadata", "deletionGracePeriodSeconds"], 3);
            node.api.put("pods", pod);
        };
        let (followed, ()) = tokio::join!(follow, delete);
        assert_eq!(followed, "hello world\nbye\n", "it was asked to stop, and could say so");
        node.gone().await;
        node.finish().await;
    });
}

#[test]
fn what_is_missing_is_said() {
    on_a_node("missing", |node| async move {
        let pod = POD.replace("test/busybox:1", "test/bsybox:1");
        node.api.put("pods", read(&pod));
        let pod = node
            .until("the image is missed", |pod| {
                let state = pod.0.list_at(&["status", "initContainerStatuses"]).first();
                state.and_then(|one| one.str_at(&["state", "waiting", "reason"]))
                    == Some("ErrImagePull")
            })
            .await;
        let message = pod.0.list_at(&["status", "initContainerStatuses"])[0]
            .str_at(&["state", "waiting", "message"])
            .unwrap()
            .to_owned();
        assert!(message.contains("docker.io/test/busybox:1"), "{message}");
        let wanted = "volume \"config\": configmaps \"settings\" not found";
        node.until_event("FailedMount", wanted).await;
        let mut pod = node.pod().unwrap().0.clone();
        pod.set_path(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z");
        node.api.put("pods", pod);
        node.gone().await;
        let node_object = node.api.get("nodes", "", "n1").unwrap();
        assert!(is_ready(&node_object));
        node.finish().await;
    });
}

/// Long enough for a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shared so that tests and the agent see one API.
type SharedApi = Arc<api::Api>;
