//! What happens at the bound of a mailbox. The runtime has one thread, so nothing is handled until
//! we wait.

use actors_core::{ExitReason, MailboxPolicy, OnLimit, WhenFull};
use actors_runtime::{DeadReason, Fault, NodeState, Ref, Refusal, Trace};

use crate::{Event, World, spec, tree};

async fn world(when_full: WhenFull) -> (World, Ref<Event>) {
    let mut world = World::new();
    let policy = MailboxPolicy { capacity: 2, when_full };
    let tree =
        tree("root", 5, OnLimit::Escalate).child(spec("a").mailbox(policy), world.probe("a"));
    drop(world.run(tree).await);
    world.expect(&["a#1 up"]).await;
    let actor = world.system.actor::<Event>("root/a");
    actor.tell(Event::Note(0)).await.unwrap();
    world.expect(&["a: 0"]).await;
    (world, actor)
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_hands_the_message_back() {
    let (mut world, actor) = world(WhenFull::Refuse).await;
    actor.try_tell(Event::Note(1)).unwrap();
    actor.try_tell(Event::Note(2)).unwrap();
    let refused = actor.tell(Event::Note(3)).await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::Full);
    assert!(matches!(refused.event, Event::Note(3)));
    let node = world.node("root/a").unwrap();
    assert_eq!((node.depth, node.capacity, node.refused), (2, 2, 1));
    world.expect(&["a: 1", "a: 2"]).await;
    actor.tell(Event::Note(4)).await.unwrap();
    world.expect(&["a: 4"]).await;
}

#[tokio::test]
async fn a_full_mailbox_sheds_its_oldest_message_as_a_dead_letter() {
    let (mut world, actor) = world(WhenFull::ShedOldest).await;
    for note in 1..=5 {
        actor.tell(Event::Note(note)).await.unwrap();
    }
    world.expect(&["a: 4", "a: 5"]).await;
    assert_eq!(world.system.dead_letters().counts[&DeadReason::Shed], 3);
}

#[tokio::test]
async fn a_sender_waits_for_room_and_nothing_is_lost() {
    let (mut world, actor) = world(WhenFull::Wait).await;
    actor.tell(Event::Note(1)).await.unwrap();
    actor.tell(Event::Note(2)).await.unwrap();
    tokio::select! {
        biased;
        _ = actor.tell(Event::Note(3)) => panic!("there was no room"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(actor.try_tell(Event::Note(3)).unwrap_err().refusal, Refusal::Full);
    for note in 3..=100 {
        actor.tell(Event::Note(note)).await.unwrap();
    }
    for note in 1..=100 {
        world.expect(&[&format!("a: {note}")]).await;
    }
}

#[tokio::test]
async fn what_waits_for_an_actor_that_dies_is_counted_and_its_senders_go_on() {
    let (mut world, actor) = world(WhenFull::Wait).await;
    let exact = actor.exact().unwrap();
    actor.try_tell(Event::Boom).unwrap();
    actor.try_tell(Event::Note(1)).unwrap();
    assert_eq!(exact.tell(Event::Note(2)).await.unwrap_err().refusal, Refusal::Ended);
    world.expect(&["a#2 up"]).await;
    let counts = world.system.dead_letters().counts;
    assert_eq!((counts[&DeadReason::Poison], counts[&DeadReason::Ended]), (1, 1));
    assert_eq!(exact.tell(Event::Note(3)).await.unwrap_err().refusal, Refusal::Ended);
}

#[tokio::test]
async fn a_reference_of_the_wrong_type_is_told_so() {
    let (world, _) = world(WhenFull::Refuse).await;
    let wrong = world.system.actor::<u8>("root/a");
    assert_eq!(wrong.tell(1).await.unwrap_err().refusal, Refusal::WrongType);
}

#[tokio::test]
async fn an_actor_that_drains_handles_what_waits_and_takes_nothing_new() {
    let mut world = World::new();
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a").draining(), world.probe("a"));
    let root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    let actor = world.system.actor::<Event>("root/a").ready().await.unwrap();
    // So that they still wait when it is asked to stop, which ends the suspension.
    world.system.suspend("root/a").unwrap();
    for note in 1..=3 {
        actor.try_tell(Event::Note(note)).unwrap();
    }
    let (asked, refused) = tokio::join!(root.shutdown(), async {
        // One message that it would have handled takes its turn behind the order to stop.
        while world.node("root/a").is_some_and(|node| node.state != NodeState::Stopping) {
            tokio::task::yield_now().await;
        }
        actor.try_tell(Event::Note(4)).map_err(|error| error.refusal)
    });
    assert_eq!((asked, refused), (ExitReason::Shutdown, Err(Refusal::Ended)));
    world.expect(&["a: 1", "a: 2", "a: 3"]).await;
    assert_eq!(world.system.dead_letters().recent.len(), 0);
}

#[tokio::test]
async fn what_a_supervisor_orders_goes_ahead_of_all_messages() {
    let mut world = World::new();
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    let actor = world.system.actor::<Event>("root/a").ready().await.unwrap();
    // The actor ends its own turn before it is asked again, so all of these wait.
    (1..=1_000).for_each(|note| actor.try_tell(Event::Note(note)).unwrap());
    world.system.inject("root/a", Fault::Panic).unwrap();
    world.expect(&["a#2 up"]).await;
    assert_eq!(world.system.dead_letters().counts[&DeadReason::Ended], 1_000);
    root.shutdown().await;
}

#[tokio::test]
async fn a_dead_letter_tells_on_whose_behalf_it_was_sent() {
    let (mut world, actor) = world(WhenFull::ShedOldest).await;
    let trace = Trace { trace: [0xab; 16], span: [0x01; 8] };
    trace.cover(actor.tell(Event::Note(1))).await.unwrap();
    for note in 2..=3 {
        actor.tell(Event::Note(note)).await.unwrap();
    }
    world.expect(&["a: 2", "a: 3"]).await;
    trace.cover(actor.tell(Event::Boom)).await.unwrap();
    world.expect(&["a#2 up"]).await;
    let dead: Vec<_> = world.system.dead_letters().recent.into();
    let dead: Vec<_> = dead.into_iter().map(|letter| (letter.reason, letter.trace)).collect();
    let whose = Some(format!("{}-{}", "ab".repeat(16), "01".repeat(8)));
    assert_eq!(dead, [(DeadReason::Shed, whose.clone()), (DeadReason::Poison, whose)]);
    assert!(!Trace::current().is_some());
}
