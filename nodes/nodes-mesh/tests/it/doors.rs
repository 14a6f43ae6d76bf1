//! Requests and watches of an agent: who it is, what arrives, what happens when servers go.

use std::sync::{Arc, Mutex};

use actors_object::value;
use actors_runtime::Clock;
use nodes_client::{Calls, SharedClient};
use nodes_door::{Identity, Options, PatchKind, Target, Verb, WatchEvent};
use nodes_mesh::{DoorService, RemoteClient};
use tokio::sync::watch;

use crate::scene::{FakeDoor, Machine, Told, authority, link, until, within};

/// Two servers and an agent that speaks to one of them.
pub(crate) struct Scene {
    pub(crate) servers: Vec<(Machine, Arc<FakeDoor>, watch::Sender<bool>)>,
    pub(crate) agent: Machine,
    pub(crate) client: RemoteClient,
    pub(crate) calls: Calls,
    told: Told,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let authority = authority();
        let told = Told::of(&["server-1", "server-2", "agent-1"]);
        let mut servers = Vec::new();
        for name in ["server-1", "server-2"] {
            let door = FakeDoor::new(name);
            let ready = watch::Sender::new(true);
            let machine = Machine::start(&authority, name, |mesh, _| {
                DoorService::serve(mesh, Arc::clone(&door) as SharedClient, ready.subscribe());
                Vec::new()
            })
            .await;
            servers.push((machine, door, ready));
        }
        let made = Mutex::new(None);
        let view = told.view();
        let agent = Machine::start(&authority, "agent-1", |mesh, _| {
            let client = RemoteClient::new(mesh.clone(), view);
            *made.lock().unwrap() = Some(client.clone());
            vec![client.child()]
        })
        .await;
        let client: RemoteClient = made.lock().unwrap().take().unwrap();
        link(&[&servers[0].0, &servers[1].0, &agent]).await;
        // What it says of itself counts for nothing.
        let liar = Identity::new("system:masters", &["system:masters"]);
        let calls = Calls::new(Arc::new(client.clone()), liar, "kubelet");
        Self { servers, agent, client, calls, told }
    }

    /// The server that the agent speaks to.
    pub(crate) fn present(&self) -> usize {
        let name = self.client.server().unwrap();
        self.servers.iter().position(|(machine, ..)| machine.mesh.me().node == name).unwrap()
    }
}

pub(crate) fn target(resource: &str, name: Option<&str>) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_who_its_certificate_says_and_small_and_large_answers_arrive() {
    let scene = Scene::start().await;
    let told = within("an answer", scene.calls.get(target("configmaps", Some("a")))).await.unwrap();
    let server = scene.client.server().unwrap();
    assert_eq!(told.name(), format!("system:node:agent-1 of {server}"));
    let asked = scene.servers[scene.present()].1.asked.lock().unwrap()[0].clone();
    assert!(asked.identity.groups.contains(&"system:nodes".to_owned()));
    assert!(!asked.identity.groups.contains(&"system:masters".to_owned()));
    let list = scene.calls.list(target("configmaps", None), Options::default());
    let list = within("a list", list).await.unwrap();
    assert_eq!((list.entries.len(), list.revision.0), (200, 9));
    assert_eq!(list.entries[199].object().name(), "199");
    let large = within("an object", scene.calls.get(target("configmaps", Some("large")))).await;
    assert_eq!(large.unwrap().0.str_at(&["data", "text"]).map(str::len), Some(5_000_000));
    let patch = value!({ "data": { "text": "y".repeat(2_900_000).as_str() } });
    let request = scene.calls.request(
        Verb::Patch(PatchKind::Merge),
        target("configmaps", Some("b")),
        Some(&patch),
    );
    let sent = request.body.clone();
    within("an answer", scene.calls.call(request)).await.into_object().unwrap();
    let asked = scene.servers[scene.present()].1.asked.lock().unwrap().last().cloned().unwrap();
    assert!(asked.body == sent, "the body changed on its way");
    let me = Identity::anonymous();
    let client: SharedClient = Arc::new(scene.client.clone());
    assert!(within("yes", client.allows_url(&me, "get", "/version")).await);
    assert!(!within("no", client.allows_url(&me, "get", "/metrics")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_or_cannot_serve_is_left_for_another() {
    let mut scene = Scene::start().await;
    within("an answer", scene.calls.get(target("configmaps", Some("a")))).await.unwrap();
    let first = scene.present();
    // Both say that they cannot: the refusal arrives, after both were tried.
    let busy = within("a refusal", scene.calls.get(target("configmaps", Some("busy")))).await;
    assert_eq!(busy.unwrap_err().code, 503);
    let asked = |at: usize| {
        let asked = scene.servers[at].1.asked.lock().unwrap();
        asked.iter().filter(|one| one.target.name.as_deref() == Some("busy")).count()
    };
    assert!(asked(0) >= 1 && asked(1) >= 1);
    within("an answer", scene.calls.get(target("configmaps", Some("a")))).await.unwrap();
    let present = scene.present();
    scene.servers[present].0.kill();
    let read = within("another's answer", scene.calls.get(target("configmaps", Some("a")))).await;
    let other = &scene.servers[1 - present].0.mesh.me().node;
    assert_eq!(read.unwrap().name(), format!("system:node:agent-1 of {other}"));
    assert!(first < 2 && !scene.agent.mesh.links().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_and_ends_with_a_reason() {
    let mut scene = Scene::start().await;
    let refused =
        within("a refusal", scene.calls.watch(target("secrets", None), Options::default()));
    assert_eq!(refused.await.unwrap_err().message, "no secrets");
    let open = || scene.calls.watch(target("configmaps", None), Options::default());
    let mut stream = within("a watch", open()).await.unwrap();
    let (_, door, ready) = &scene.servers[scene.present()];
    for number in 0..100 {
        door.tell(&number.to_string()).await;
        let batch = within("an event", stream.next()).await.unwrap();
        let [WatchEvent::Added(entry)] = batch.as_slice() else { panic!("{batch:?}") };
        assert_eq!(entry.object().name(), number.to_string());
    }
    // It loses the quorum: the watch says so.
    ready.send_replace(false);
    let batch = within("the reason", stream.next()).await.unwrap();
    assert!(
        matches!(batch.as_slice(), [WatchEvent::Error(error)] if error.code == 503),
        "{batch:?}"
    );
    assert!(within("the end", stream.next()).await.is_none());
    // Another server is taken, for the first one says itself that it cannot serve.
    let client = &scene.client;
    let mut stream = within("a watch", open()).await.unwrap();
    let present = scene.present();
    assert_eq!(client.server().as_ref(), Some(&scene.servers[present].0.mesh.me().node));
    // It is killed: the watch ends long before the mesh gives the link up.
    let name = scene.servers[present].0.mesh.me().node.clone();
    ready.send_replace(true);
    scene.servers[present].0.kill();
    let killed = Clock.mono();
    let batch = within("the reason", stream.next()).await.unwrap();
    assert!(matches!(batch.as_slice(), [WatchEvent::Error(_)]), "{batch:?}");
    let took = Clock.mono().since(killed);
    assert!(took < mesh_quic::IDLE, "it took {took:?}");
    // Membership doubts the last one: its watches end too.
    let mut stream =
        within("a watch", scene.calls.watch(target("configmaps", None), Options::default()))
            .await
            .unwrap();
    let other = scene.client.server().unwrap();
    assert_ne!(other, name);
    scene.told.doubt(&other);
    let batch = within("the reason", stream.next()).await.unwrap();
    assert!(matches!(batch.as_slice(), [WatchEvent::Error(_)]), "{batch:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_nobody_reads_any_more_ends_at_the_server() {
    let scene = Scene::start().await;
    let open = scene.calls.watch(target("configmaps", None), Options::default());
    let stream = within("a watch", open).await.unwrap();
    let door = Arc::clone(&scene.servers[scene.present()].1);
    drop(stream);
    until("the end of the watch", || door.watchers.lock().unwrap()[0].is_closed()).await;
}
