//! Three voters in one process: what any of them can be asked, and the loss of their leader.

use actors_runtime::Clock;
use futures_util::future::join_all;
use store_mvcc::{Expect, LEVEL_MAX, Op, Token};
use store_raft::{MemberChange, NodeId};
use store_service::{ProposeError, StoreConfig};

use crate::{
    cluster::Cluster,
    server::{SOON, config, key, put, revision},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_member_takes_writes_and_shows_its_own_at_once() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let mut newest = cluster.store(1).read_barrier().await.unwrap();
    for number in 0..60 {
        let node = number % 3 + 1;
        let name = format!("c-{number}");
        let outcome = cluster.store(node).propose(put(&name, "{}")).await.unwrap();
        assert_eq!(revision(&outcome), newest.next(), "something was lost or done twice");
        newest = revision(&outcome);
        assert!(
            cluster.servers[&node].value(&name).is_some(),
            "{node} does not show its own write"
        );
        let other = (number + 1) % 3 + 1;
        assert!(cluster.store(other).read_barrier().await.unwrap() >= newest);
        assert!(cluster.servers[&other].value(&name).is_some(), "{other} reads what was before");
    }
    cluster.agree().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_agree_on_what_all_of_them_can_do_when_all_have_said_so() {
    let mut cluster = Cluster::start(0).await;
    for node in 1..=2 {
        cluster.up(config(node, 3)).await;
    }
    cluster.leader(None).await;
    let outcome = cluster.store(1).propose(put("a", "{}")).await.unwrap();
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(cluster.store(1).snapshot().level(), 1, "one of three has not been asked");
    cluster.up(config(3, 3)).await;
    for node in 1..=3 {
        let mut progress = cluster.store(node).progress();
        let agreed = progress.wait_for(|progress| progress.position.level == LEVEL_MAX);
        tokio::time::timeout(SOON, agreed).await.expect("agreed in time").unwrap();
        assert_eq!(cluster.store(node).snapshot().level(), LEVEL_MAX, "as readers see it");
    }
    cluster.agree().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_through_different_members_is_applied_once() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let same = put("a", "{}");
    let asked = cluster.stores().into_iter().map(|store| {
        let same = same.clone();
        async move { store.propose(same).await.unwrap() }
    });
    let outcomes = join_all(asked).await;
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{outcomes:?}");
    let again = cluster.store(2).propose(put("b", "{}")).await.unwrap();
    assert_eq!(revision(&again), revision(&outcomes[0]).next());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reads_at_once_are_confirmed_together() {
    let cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let newest = revision(&cluster.store(follower).propose(put("a", "{}")).await.unwrap());
    let reads = (0..1_000).map(|_| {
        let store = cluster.store(follower);
        async move { store.read_barrier().await.unwrap() }
    });
    assert!(join_all(reads).await.into_iter().all(|read| read >= newest));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_through_a_survivor() {
    let mut cluster = Cluster::start(3).await;
    for _ in 0..3 {
        let leader = cluster.leader(None).await;
        let survivor = cluster.follower().await;
        cluster.store(survivor).propose(put("before", "{}")).await.unwrap();
        let old_epoch = cluster.store(leader).epoch().unwrap();
        cluster.net.cut(NodeId(leader));
        let begun = Clock.mono();
        let outcome = cluster.store(survivor).propose(put("after", "{}")).await;
        let took = Clock.mono().since(begun);
        // How long it takes is measured by `bench failover`, on a machine that does nothing else.
        println!("the writes went on after {took:?}");
        assert!(outcome.is_ok(), "{outcome:?}");
        let next = cluster.leader(Some(leader)).await;
        assert!(cluster.store(next).epoch().unwrap() > old_epoch);
        cluster.net.heal();
        cluster.has(leader, "after").await;
        cluster.restart(leader).await;
        cluster.agree().await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_known_to_be_gone_is_not_waited_for() {
    let cluster = Cluster::start(3).await;
    let mut took = Vec::new();
    for is_known in [false, true] {
        let leader = cluster.leader(None).await;
        let survivor = cluster.follower().await;
        cluster.net.cut(NodeId(leader));
        for (node, server) in &cluster.servers {
            if is_known && *node != leader {
                server.store.peer_gone(NodeId(leader));
            }
        }
        let begun = Clock.mono();
        cluster.store(survivor).propose(put("after", "{}")).await.unwrap();
        took.push(Clock.mono().since(begun));
        cluster.net.heal();
        cluster.has(leader, "after").await;
        cluster.agree().await;
    }
    // Whoever is not known to be gone is waited for half a second at least, on any machine.
    let [waited, known] = took[..] else { unreachable!("two losses") };
    assert!(known < waited, "{known:?}, and without the knowledge {waited:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_majority_says_so_and_answers_nothing() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader(None).await;
    let others: Vec<u64> = cluster.servers.keys().copied().filter(|node| *node != leader).collect();
    for other in &others {
        cluster.net.cut(NodeId(*other));
    }
    for store in cluster.stores() {
        let mut quorum = store.quorum();
        let lost = quorum.wait_for(|quorum| !quorum);
        tokio::time::timeout(SOON, lost).await.unwrap().unwrap();
    }
    for store in cluster.stores() {
        assert!(store.read_barrier().await.is_err(), "a read without a majority was confirmed");
        let mut alone = put("alone", "{}");
        alone.token = Token::NONE;
        let refused = store.propose(alone).await;
        assert_eq!(refused, Err(ProposeError::NotLeader { leader: None }));
        assert_eq!(store.epoch(), None);
    }
    cluster.net.heal();
    for store in cluster.stores() {
        let mut quorum = store.quorum();
        tokio::time::timeout(SOON, quorum.wait_for(|quorum| *quorum)).await.unwrap().unwrap();
        store.propose(put("again", "{}")).await.unwrap();
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_changed_and_leaders_transferred_from_anywhere() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader(None).await;
    let follower = cluster.follower().await;
    let heir = 6 - leader - follower;
    cluster.store(follower).transfer_leader(NodeId(heir), SOON).await.unwrap();
    cluster.leader(Some(leader)).await;
    assert!(cluster.store(heir).epoch().is_some());
    cluster.up(StoreConfig { first_voters: Vec::new(), ..config(4, 0) }).await;
    let changes = vec![MemberChange::AddLearner(NodeId(4))];
    let members = cluster.store(follower).change_members(changes).await.unwrap();
    assert!(members.learners.contains(&NodeId(4)) && members.joining.is_empty());
    assert_eq!(*cluster.store(follower).members().borrow(), members);
    let nonsense = (1..=3).map(|node| MemberChange::Remove(NodeId(node))).collect();
    let refused = cluster.store(follower).change_members(nonsense).await;
    assert_eq!(refused, Err(ProposeError::BadChange));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_proposals_at_a_follower_have_an_outcome_each() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let follower = cluster.store(cluster.follower().await);
    // Two want each name, and one of them gets it.
    let proposals = (0..200).map(|number| {
        let mut proposal = put(&format!("n{}", number / 2), &format!("{{\"by\":{number}}}"));
        for op in &mut proposal.ops {
            if let Op::Put { expect, .. } = op {
                *expect = Expect::Absent;
            }
        }
        proposal
    });
    let outcomes = join_all(proposals.map(|proposal| follower.propose(proposal))).await;
    let done: Vec<bool> = outcomes.into_iter().map(|outcome| outcome.unwrap().is_ok()).collect();
    for (name, both) in done.chunks(2).enumerate() {
        assert_eq!(both.iter().filter(|done| **done).count(), 1, "n{name}: {both:?}");
        let stored = follower.snapshot().get(&key(&format!("n{name}"))).unwrap();
        let winner = 2 * name + usize::from(both[1]);
        assert_eq!(stored.stored().value, format!("{{\"by\":{winner}}}").as_bytes());
    }
    cluster.stop().await;
}
