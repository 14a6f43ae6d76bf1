//! Membership over real links: joining, dying, coming back, and a cluster that was killed whole.

use mesh_gossip::{LinkEnd, LinkStanding};
use tempfile::TempDir;

use crate::scene::{Authority, PATIENCE, Process, Seeds, word};

const NODES: [&str; 5] = ["agent-1", "agent-2", "server-1", "server-2", "server-3"];

/// Three servers and two agents that know one server at first.
fn cluster(folder: &TempDir) -> Vec<Process> {
    let authority = Authority::new();
    let mut processes: Vec<Process> = Vec::new();
    let mut seeds = Seeds::new();
    for node in ["server-1", "server-2", "server-3", "agent-1", "agent-2"] {
        let process =
            Process::start(authority.config(node), seeds.clone(), folder.path().join(node));
        if seeds.is_empty() {
            seeds = process.seed();
        }
        if node.starts_with("server") {
            let voters = ["server-1", "server-2", "server-3"].map(str::to_owned);
            process.membership.set_voters(voters.to_vec());
        }
        processes.push(process);
    }
    for process in &processes {
        process.sees_alive(&NODES);
    }
    processes
}

#[test]
fn a_killed_member_is_suspected_and_judged_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes = cluster(&folder);
    let victim = processes.pop().unwrap();
    victim.kill();
    let suspected = processes[0].until(PATIENCE, "suspect", |view| {
        word(view, "agent-2") == Some("suspect") || word(view, "agent-2") == Some("dead")
    });
    let judged = processes[0].until(PATIENCE, "dead", |view| word(view, "agent-2") == Some("dead"));
    for process in &processes {
        let late = process
            .until(PATIENCE, "dead everywhere", |view| word(view, "agent-2") == Some("dead"));
        println!("{} knew {} ms later", process.config.me.node, late.as_millis());
    }
    let (suspected, judged) = (suspected.as_millis(), (suspected + judged).as_millis());
    // The bounds are held in virtual time (`mesh-member`), and measured by `bench failover`; here other tests share the
    // processors.
    println!("suspected after {suspected} ms, judged after {judged} ms");
    let members = processes[0].membership.members();
    let dead = members.iter().find(|member| member.info.node == "agent-2").unwrap();
    let by: Vec<&str> = dead.state.evidence().iter().map(|opinion| opinion.by.as_str()).collect();
    assert!(by.len() >= 2 && by.iter().all(|by| by.starts_with("server")), "{by:?}");
}

#[test]
fn a_process_that_is_restarted_at_once_has_lost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes = cluster(&folder);
    let victim = processes.pop().unwrap();
    let before = victim.membership.members().iter().map(|member| member.info.started).max();
    let mut verdicts = processes[0].membership.verdicts();
    let (config, file) = victim.kill();
    let back = Process::start(config, Seeds::new(), file);
    back.sees_alive(&NODES);
    processes[0].until(PATIENCE, "a later life", |view| {
        view.iter().any(|member| {
            member.info.node == "agent-2"
                && Some(member.info.started) > before
                && member.state.word() == "alive"
                && member.links == LinkStanding::Up
        })
    });
    assert!(verdicts.try_recv().is_err(), "a verdict about a restart");
}

#[test]
fn a_member_that_was_judged_is_taken_back_when_it_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes = cluster(&folder);
    let (config, file) = processes.pop().unwrap().kill();
    for process in &processes {
        process.until(PATIENCE, "dead", |view| word(view, "agent-2") == Some("dead"));
    }
    processes.push(Process::start(config, Seeds::new(), file));
    for process in &processes {
        process.sees_alive(&NODES);
    }
    let members = processes[0].membership.members();
    assert_eq!(members.iter().map(|member| member.rejoined).collect::<Vec<_>>(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_cluster_whose_every_process_was_killed_finds_itself_again() {
    let folder = tempfile::tempdir().unwrap();
    let processes = cluster(&folder);
    for process in &processes {
        let path = folder.path().join(&process.config.me.node);
        process.eventually("a file of peers", || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            NODES.iter().all(|node| text.contains(&format!("\"{node}\"")) || path.ends_with(node))
        });
    }
    let papers: Vec<_> = processes.into_iter().map(Process::kill).collect();
    let again: Vec<Process> = papers
        .into_iter()
        .map(|(config, file)| Process::start(config, Seeds::new(), file))
        .collect();
    for process in &again {
        process.sees_alive(&NODES);
    }
}

#[test]
fn who_leaves_has_left_and_who_stops_in_order_is_an_agent_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes = cluster(&folder);
    let leaver = processes.pop().unwrap();
    leaver.membership.leave();
    for process in &processes {
        process.until(PATIENCE, "left", |view| word(view, "agent-2") == Some("left"));
    }
    let stopped = processes.pop().unwrap();
    stopped.stop();
    processes[0].until(PATIENCE, "agent lost", |view| {
        view.iter().any(|member| {
            member.info.node == "agent-1"
                && member.state.word() == "agent-lost"
                && matches!(member.links, LinkStanding::Down { why: LinkEnd::Closed, .. })
        })
    });
}
