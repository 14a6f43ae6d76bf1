//! Fences through answers, silence and pauses, against what a controller waits for.

use actors_controllers::fencing;
use actors_core::{Now, Rng, Wall};

use super::*;

struct Scene {
    machine: FenceMachine,
    now: Mono,
}

impl Scene {
    fn new(pods: &[(&str, u64)]) -> (Self, Vec<String>) {
        let mut scene = Self { machine: FenceMachine::new(), now: at(1_000_000) };
        let said = scene.pods(pods);
        (scene, said)
    }

    fn pods(&mut self, pods: &[(&str, u64)]) -> Vec<String> {
        let pod = |(uid, seconds): &(&str, u64)| ((*uid).to_owned(), Duration::from_secs(*seconds));
        self.tell(FenceEvent::Pods(pods.iter().map(pod).collect()))
    }

    fn tell(&mut self, event: FenceEvent) -> Vec<String> {
        let mut out = Effects::default();
        let mut rng = Rng::from_number(1);
        let now = Now { mono: self.now, wall: Wall(0) };
        self.machine.handle(Turn { now, rng: &mut rng, view: &() }, event, &mut out);
        let seconds = |at: Mono| at.as_millis() as f64 / 1_000.0 - 1_000_000.0;
        let describe = |effect: FenceEffect| match effect {
            FenceEffect::Ask { round } => format!("ask {round}"),
            FenceEffect::SetDeadline { pod, at } => format!("{pod} until {}", seconds(at)),
            FenceEffect::WakeAt(at) => format!("wake at {}", seconds(at)),
        };
        out.drain().map(describe).collect()
    }

    fn at(&mut self, seconds: u64, event: FenceEvent) -> Vec<String> {
        self.now = at(1_000_000 + seconds);
        self.tell(event)
    }
}

fn at(seconds: u64) -> Mono {
    Mono::default().after(Duration::from_secs(seconds))
}

fn confirmed(round: u64, pods: &[&str]) -> FenceEvent {
    let pods = pods.iter().map(|uid| (*uid).to_owned()).collect();
    FenceEvent::Confirmed { round, pods }
}

#[test]
fn a_deadline_counts_from_when_the_question_was_sent() {
    let (mut scene, said) = Scene::new(&[("one", 30), ("two", 60)]);
    assert_eq!(said, ["ask 1"]);
    assert_eq!(
        scene.at(2, confirmed(1, &["one", "two", "other"])),
        ["one until 30", "two until 60", "wake at 8"]
    );
    assert_eq!(scene.at(8, FenceEvent::Woken), ["ask 2"]);
    assert_eq!(scene.at(9, FenceEvent::Woken), [""; 0], "one question at a time");
    assert_eq!(
        scene.at(9, confirmed(2, &["one", "two"])),
        ["one until 38", "two until 68", "wake at 15"]
    );
}

#[test]
fn nothing_is_extended_by_silence_by_a_verdict_or_for_a_pod_that_is_not_listed() {
    let (mut scene, _) = Scene::new(&[("one", 30), ("gone", 30)]);
    scene.at(0, confirmed(1, &["one", "gone"]));
    scene.at(6, FenceEvent::Woken);
    assert_eq!(scene.at(7, confirmed(2, &["one"])), ["one until 36", "wake at 13"]);
    scene.at(13, FenceEvent::Woken);
    assert_eq!(scene.at(16, FenceEvent::Denied { round: 3 }), ["wake at 16.5"]);
    assert_eq!(scene.at(17, FenceEvent::Woken), ["ask 4"]);
    // The answer to an earlier question comes late: it was given up.
    assert_eq!(scene.at(17, confirmed(3, &["one"])), [""; 0]);
    assert_eq!(scene.at(40, confirmed(4, &["one"])), ["one until 47", "wake at 46"]);
}

#[test]
fn a_new_pod_is_asked_for_at_once_and_a_node_without_fences_asks_nothing() {
    let (mut scene, _) = Scene::new(&[("one", 15)]);
    assert_eq!(scene.at(1, confirmed(1, &["one"])), ["one until 15", "wake at 4"]);
    scene.now = at(1_000_002);
    assert_eq!(scene.pods(&[("one", 15), ("two", 15)]), ["ask 2"]);
    scene.now = at(1_000_003);
    assert_eq!(scene.pods(&[("two", 15), ("three", 15)]), [""; 0]);
    assert_eq!(scene.at(3, confirmed(2, &["two"])), ["two until 17", "wake at 3.5"], "three waits");
    assert_eq!(scene.pods(&[]), [""; 0]);
    assert_eq!(scene.at(4, FenceEvent::Woken), [""; 0]);
}

/// Whatever the delays: by the time at which a controller replaces a pod, its shim has killed it.
#[test]
fn no_pod_runs_when_its_replacement_starts() {
    let fence = Duration::from_secs(20);
    for seed in 0..500 {
        let mut rng = Rng::from_number(seed);
        let verdict = Mono(rng.between(100_000_000_000, 130_000_000_000));
        // The node's clock may be slow by one in a hundred, the verdict's clock is right.
        let slow = |span: Duration| span + span / 100;
        let (mut sent, mut deadline) = (Mono(99_000_000_000), None);
        while sent < verdict.after(Duration::from_secs(60)) {
            let barrier = sent.after(Duration::from_millis(rng.between(0, 3_000)));
            // A read whose barrier began before the verdict was committed may have missed it.
            if barrier < verdict {
                deadline = Some(sent.after(slow(fence)));
            }
            sent = barrier.after(Duration::from_millis(rng.between(0, 4_000)));
        }
        let killed = deadline.map(|at| at.after(Duration::from_secs(2)));
        let replaced = verdict.after(fencing::surely_ended_after(fence));
        assert!(killed.is_none_or(|killed| killed <= replaced), "seed {seed}");
    }
}
