//! Groups: who belongs to one is told what is published to it.

use actors_core::{MailboxPolicy, OnLimit};
use actors_runtime::{DeadReason, Group, GroupError, Published};

use crate::{Event, World, links::Scene, spec, tree};

fn group(world: &World) -> Group<u32> {
    world.system.group("news").unwrap()
}

#[tokio::test]
async fn members_hear_what_is_published_in_order_until_they_leave_or_end() {
    let mut scene = Scene::new().await;
    let news = group(&scene.world);
    assert_eq!(news.publish(0), Published { told: 0, refused: 0 });
    let key = scene.key("k", 9).await;
    let of_key = key.join(&news, Event::Note).unwrap();
    let _of_a = scene.actor("a").join(&news, Event::Note).unwrap();
    let of_once = scene.actor("once").join(&news, |note| Event::Note(note + 100)).unwrap();
    assert_eq!(news.members(), ["root/pods/k", "root/a", "root/once"]);
    // At rest it belongs to the group all the same, and wakes for each word.
    scene.answer("k").await;
    for note in 1..=50 {
        let alone = news.publish(note);
        assert_eq!(alone, Published { told: 3, refused: 0 });
        let (a, k, once) = (format!("a: {note}"), format!("k: {note}"), note + 100);
        scene.hear_all(&[&a, &k, &format!("once: {once}")]).await;
    }
    drop(of_once);
    scene.world.tell("root/a", Event::Boom).await;
    scene.hear_all(&["a#2 up"]).await;
    // The next life belongs to nothing; another handle is of the same group.
    assert_eq!(group(&scene.world).publish(51), Published { told: 1, refused: 0 });
    scene.hear_all(&["k: 51"]).await;
    drop(of_key);
    assert_eq!((news.publish(52), news.members()), (Published::default(), Vec::new()));
    scene.forgotten("k").await;
    let ended = GroupError::Ended("root/pods/k".to_owned());
    assert_eq!(key.join(&news, Event::Note).err(), Some(ended));
}

#[tokio::test]
async fn who_publishes_waits_for_nobody_and_is_told_who_had_no_room() {
    let mut world = World::new();
    let policies = [
        ("shed", MailboxPolicy { when_full: actors_core::WhenFull::ShedOldest, capacity: 2 }),
        ("wait", MailboxPolicy::wait(2)),
    ];
    let with = |tree: actors_runtime::Tree, (name, policy): (&str, MailboxPolicy)| {
        tree.child(spec(name).mailbox(policy), world.probe(name))
    };
    let tree = policies.into_iter().fold(tree("root", 5, OnLimit::Escalate), with);
    let _root = world.run(tree).await;
    world.expect(&["shed#1 up", "wait#1 up"]).await;
    let news = group(&world);
    let mut memberships = Vec::new();
    for (name, _) in policies {
        let path = format!("root/{name}");
        world.system.actor::<Event>(&path).ready().await.unwrap();
        let inbox = world.inboxes.lock().unwrap()[&path].clone();
        memberships.push(inbox.join(&news, Event::Note).unwrap());
        world.system.suspend(&path).unwrap();
    }
    let mut subscription = news.subscribe(2).unwrap();
    let told: Vec<_> = (1..=4).map(|note| news.publish(note)).collect();
    let all = Published { told: 3, refused: 0 };
    let without_one = Published { told: 2, refused: 1 };
    assert_eq!(told, [all, all, without_one, without_one]);
    assert_eq!(world.system.dead_letters().counts[&DeadReason::Shed], 2);
    assert_eq!((subscription.next().await, subscription.next().await), (3, 4));
    assert_eq!(subscription.missed(), 2);
    for (name, notes) in [("shed", [3, 4]), ("wait", [1, 2])] {
        world.system.resume(&format!("root/{name}")).unwrap();
        for note in notes {
            world.expect(&[&format!("{name}: {note}")]).await;
        }
    }
    drop((memberships, subscription));
    assert_eq!(news.publish(5), Published::default());
}

#[tokio::test]
async fn a_group_has_words_of_one_type_and_groups_and_members_are_bounded() {
    let world = World::new();
    let news = group(&world);
    let wrong = world.system.group::<String>("news").err();
    assert_eq!(wrong, Some(GroupError::WrongType("news".to_owned())));
    let all: Vec<_> = (0..Group::<u32>::LEN_MAX).map(|_| news.subscribe(1).unwrap()).collect();
    let full = GroupError::Full { name: "news".to_owned(), max: all.len() };
    assert_eq!(news.subscribe(1).err(), Some(full));
    // Who leaves makes room; a group that nobody knows any more is none.
    drop(all);
    news.subscribe(1).unwrap();
    drop(news);
    assert!(world.system.group::<String>("news").is_ok());
    let named = |number: usize| world.system.group::<u32>(&number.to_string());
    let groups: Vec<_> = (0..65_536).filter_map(|number| named(number).ok()).collect();
    let many = GroupError::TooMany { name: "none".to_owned(), max: groups.len() };
    assert_eq!(world.system.group::<u32>("none").err(), Some(many));
    drop(groups);
    assert!(world.system.group::<u32>("none").is_ok());
}
