//! Actors of other machines, looked at and handled over the mesh.

use actors_runtime::{Fault, Node, NodeState, OrderError};
use nodes_mesh::{ActorsAnswer, ActorsQuestion, ask_actors, ask_tree, serve_actors};

use crate::scene::{Machine, authority, link, until, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_see_and_handle_the_actors_of_other_machines_and_agents_do_not() {
    let authority = authority();
    let serve = |mesh: &mesh_quic::Mesh, system: &actors_runtime::System| {
        serve_actors(mesh, system.clone());
        Vec::new()
    };
    let server = Machine::start(&authority, "server-1", serve).await;
    let agent = Machine::start(&authority, "agent-1", serve).await;
    link(&[&server, &agent]).await;
    let before = agent.system.tree();
    let tree = within("a tree", ask_tree(&server.mesh, "agent-1")).await.unwrap();
    let after = agent.system.tree();
    // Parts begin and end meanwhile, such as the one that answered; all that were there throughout are seen.
    let has = |tree: &[Node], path: &str| tree.iter().any(|node| node.path == path);
    let mut lasting = before.iter().filter(|node| has(&after, &node.path));
    assert!(lasting.all(|node| has(&tree, &node.path)), "{before:#?}, then {tree:#?}");
    let victim = tree.iter().find(|node| node.capacity > 0 && node.path.contains('/')).unwrap();
    let path = victim.path.clone();
    let ask = async |question: ActorsQuestion| {
        within("an answer", ask_actors(&server.mesh, "agent-1", &question)).await
    };

    let missing = OrderError::NotFound("none".to_owned());
    let answer = ask(ActorsQuestion::Suspend("none".to_owned())).await;
    assert_eq!(answer, Ok(ActorsAnswer::Refused(missing)));
    let shown = ask(ActorsQuestion::Show(path.clone())).await.unwrap();
    let ActorsAnswer::Shown(details) = shown else { panic!("{shown:?}") };
    assert_eq!((details.node.path, details.node.state), (path.clone(), NodeState::Running));

    let killed = ask(ActorsQuestion::Inject(path.clone(), Fault::Kill)).await;
    assert!(killed == Ok(ActorsAnswer::Done) || killed.is_err(), "{killed:?}");
    let restarts = || agent.system.tree().into_iter().find(|node| node.path == path);
    until("a restart", || restarts().is_some_and(|node| node.restarts == 1)).await;

    let refused = within("a refusal", ask_tree(&agent.mesh, "server-1")).await;
    assert!(refused.is_err(), "an agent is no operator");
}
