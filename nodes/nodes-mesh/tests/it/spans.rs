//! Traces between machines: what a request carries, and who may ask what a machine remembers.

use actors_object::value;
use nodes_client::Client as _;
use nodes_mesh::ask_spans;
use nodes_trace::{Parent, Question, Thing};

use crate::{
    doors::{Scene, target},
    scene::within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_carries_its_trace_and_servers_hear_what_an_agent_remembers() {
    let scene = Scene::start().await;
    let tracer = scene.client.tracer();
    let pod = Thing::new("Pod", "default", "web");
    let step = tracer.begin(("agent", "report"), pod.clone(), Parent::None);
    let (id, context) = (step.id(), step.context());
    let patch = value!({ "status": { "phase": "Running" } });
    let mut request = scene.calls.request(
        nodes_door::Verb::Patch(nodes_door::PatchKind::Merge),
        target("configmaps", Some("a")),
        Some(&patch),
    );
    request.options.trace = context;
    within("an answer", scene.calls.call(request)).await;
    tracer.end(step, "Running");
    let asked = scene.servers[scene.present()].1.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|request| request.options.trace == context), "{asked:?}");

    let question = Question { things: [pod].into(), ..Question::default() };
    let server = &scene.servers[0].0.mesh;
    let told = within("spans", ask_spans(server, "agent-1", &question)).await.unwrap();
    let told: Vec<_> = told.iter().map(|span| (span.id, span.who.as_str())).collect();
    assert_eq!(told, [(id, "agent@agent-1")]);
    let refused = within("a refusal", ask_spans(&scene.agent.mesh, "server-1", &question)).await;
    assert!(refused.is_err(), "an agent may not ask: {refused:?}");
}
