//! The life of a link as scripts, and two ends against each other under any order of events.

use actors_core::{Now, Rng, Wall};
use expect_test::{Expect, expect};

use super::*;

struct End {
    machine: LinkMachine,
    rng: Rng,
    now: Mono,
}

impl End {
    fn new(me: &str, peer: &str) -> Self {
        Self { machine: LinkMachine::new(me, peer), rng: Rng::from_number(1), now: Mono(0) }
    }

    fn tell(&mut self, event: Event) -> Vec<Effect> {
        let mut out = Effects::default();
        let now = Now { mono: self.now, wall: Wall(0) };
        let turn = Turn { now, rng: &mut self.rng, view: &() };
        self.machine.handle(turn, event, &mut out);
        self.machine.assert_invariants();
        out.drain().collect()
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 7443))
}

fn check(me: &str, events: Vec<Event>, expected: Expect) {
    let mut end = End::new(me, "m");
    let mut text = String::new();
    for event in events {
        text.push_str(&format!("{event:?}\n"));
        for effect in end.tell(event) {
            text.push_str(&format!("    {effect:?}\n"));
        }
    }
    expected.assert_eq(&text);
}

fn accepted(link: u64, incarnation: u64) -> Event {
    Event::Accepted { link: LinkId(link), incarnation }
}

fn dialed(attempt: u64, link: u64, incarnation: u64) -> Event {
    Event::Dialed { attempt, link: LinkId(link), incarnation }
}

#[test]
fn the_smaller_name_calls_at_once_and_again_after_longer_and_longer_waits() {
    let wanted = Event::Wanted(Some(address()));
    let failed = |attempt| Event::Failed { attempt };
    let events =
        vec![wanted, failed(1), Event::Wake(2), failed(3), Event::Wake(4), failed(5), failed(5)];
    check(
        "a",
        events,
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                Dial { attempt: 1, address: 10.0.0.2:7443 }
            Failed { attempt: 1 }
                WakeAt { at: Mono(128454685), token: 2 }
            Wake(2)
                Dial { attempt: 3, address: 10.0.0.2:7443 }
            Failed { attempt: 3 }
                WakeAt { at: Mono(222948273), token: 4 }
            Wake(4)
                Dial { attempt: 5, address: 10.0.0.2:7443 }
            Failed { attempt: 5 }
                WakeAt { at: Mono(382713947), token: 6 }
            Failed { attempt: 5 }
        "#]],
    );
}

#[test]
fn the_larger_name_waits_for_the_call_and_calls_if_none_comes() {
    check(
        "z",
        vec![
            Event::Wanted(Some(address())),
            accepted(1, 10),
            Event::Wake(1),
            Event::Lost(LinkId(1)),
            Event::Wake(2),
            dialed(3, 2, 10),
        ],
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                WakeAt { at: Mono(347000000), token: 1 }
            Accepted { link: LinkId(1), incarnation: 10 }
                Adopt(LinkId(1))
            Wake(1)
            Lost(LinkId(1))
                WakeAt { at: Mono(319000000), token: 2 }
            Wake(2)
                Dial { attempt: 3, address: 10.0.0.2:7443 }
            Dialed { attempt: 3, link: LinkId(2), incarnation: 10 }
                Adopt(LinkId(2))
        "#]],
    );
}

#[test]
fn of_two_calls_that_cross_the_one_of_the_smaller_name_wins() {
    check(
        "a",
        vec![Event::Wanted(Some(address())), accepted(1, 10), dialed(1, 2, 10), accepted(3, 10)],
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                Dial { attempt: 1, address: 10.0.0.2:7443 }
            Accepted { link: LinkId(1), incarnation: 10 }
                Adopt(LinkId(1))
            Dialed { attempt: 1, link: LinkId(2), incarnation: 10 }
                Close { link: LinkId(1), why: Superseded }
                Adopt(LinkId(2))
            Accepted { link: LinkId(3), incarnation: 10 }
                Close { link: LinkId(3), why: Superseded }
        "#]],
    );
    check(
        "z",
        vec![
            Event::Wanted(Some(address())),
            Event::Wake(1),
            accepted(1, 10),
            dialed(2, 2, 10),
            accepted(3, 10),
        ],
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                WakeAt { at: Mono(347000000), token: 1 }
            Wake(1)
                Dial { attempt: 2, address: 10.0.0.2:7443 }
            Accepted { link: LinkId(1), incarnation: 10 }
                Adopt(LinkId(1))
            Dialed { attempt: 2, link: LinkId(2), incarnation: 10 }
                Close { link: LinkId(2), why: Superseded }
            Accepted { link: LinkId(3), incarnation: 10 }
                Close { link: LinkId(1), why: Superseded }
                Adopt(LinkId(3))
        "#]],
    );
}

#[test]
fn a_restarted_process_wins_and_an_old_one_never_does() {
    check(
        "a",
        vec![
            Event::Wanted(Some(address())),
            dialed(1, 1, 10),
            accepted(2, 11),
            accepted(3, 10),
            Event::Lost(LinkId(1)),
            Event::Lost(LinkId(2)),
        ],
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                Dial { attempt: 1, address: 10.0.0.2:7443 }
            Dialed { attempt: 1, link: LinkId(1), incarnation: 10 }
                Adopt(LinkId(1))
            Accepted { link: LinkId(2), incarnation: 11 }
                Close { link: LinkId(1), why: Restarted }
                Adopt(LinkId(2))
            Accepted { link: LinkId(3), incarnation: 10 }
                Close { link: LinkId(3), why: Superseded }
            Lost(LinkId(1))
            Lost(LinkId(2))
                Dial { attempt: 2, address: 10.0.0.2:7443 }
        "#]],
    );
}

#[test]
fn a_peer_that_nobody_wants_is_served_until_it_goes() {
    check(
        "a",
        vec![Event::Wanted(None), accepted(1, 10), Event::Lost(LinkId(1))],
        expect![[r#"
        Wanted(None)
            Done
        Accepted { link: LinkId(1), incarnation: 10 }
            Adopt(LinkId(1))
        Lost(LinkId(1))
            Done
    "#]],
    );
    check(
        "a",
        vec![
            Event::Wanted(Some(address())),
            dialed(1, 1, 10),
            Event::Wanted(None),
            Event::Lost(LinkId(1)),
        ],
        expect![[r#"
            Wanted(Some(10.0.0.2:7443))
                Dial { attempt: 1, address: 10.0.0.2:7443 }
            Dialed { attempt: 1, link: LinkId(1), incarnation: 10 }
                Adopt(LinkId(1))
            Wanted(None)
                Close { link: LinkId(1), why: Unwanted }
                Done
            Lost(LinkId(1))
        "#]],
    );
}

/// Two ends, both calling, with their links' news delivered in any order: in the end both count the
/// same link.
#[test]
fn both_ends_agree_whatever_the_order() {
    for seed in 0..2_000 {
        let mut rng = Rng::from_number(seed);
        let mut ends = [End::new("a", "b"), End::new("b", "a")];
        // News on the way to each end; a link is known by its number at both.
        let mut news: [Vec<Event>; 2] = Default::default();
        let mut waits = [None; 2];
        let mut links = 0;
        let mut pending: Vec<(usize, Event)> =
            (0..2).map(|end| (end, Event::Wanted(Some(address())))).collect();
        for _ in 0..400 {
            let to = usize::try_from(rng.below(2)).unwrap();
            let event = match pending.pop() {
                Some((end, event)) => (end, event),
                None if !news[to].is_empty() => (to, news[to].remove(0)),
                None => match waits[to].take() {
                    Some(token) => (to, Event::Wake(token)),
                    None => continue,
                },
            };
            let (end, event) = event;
            for effect in ends[end].tell(event) {
                match effect {
                    Effect::Dial { attempt, .. } => {
                        links += 1;
                        let link = LinkId(links);
                        news[1 - end].push(Event::Accepted { link, incarnation: 7 });
                        news[end].push(Event::Dialed { attempt, link, incarnation: 7 });
                    }
                    Effect::WakeAt { token, .. } => waits[end] = Some(token),
                    Effect::Close { link, .. } => news[1 - end].push(Event::Lost(link)),
                    Effect::Adopt(_) | Effect::Done => {}
                }
            }
        }
        let [first, second] = ends.map(|end| end.machine.counting());
        assert!(first.is_some() && first == second, "seed {seed}: {first:?} {second:?}");
    }
}
