//! One machine by itself: bounds, and what it refuses to believe.

use std::time::Duration;

use actors_core::{Effects, Machine, Mono, Now, Rng, Turn, Wall};
use mesh_wire::Role;

use super::cell::EPOCH;
use crate::{
    CarrierCommand, CarrierEvent, MemberEffect, MemberEvent, MemberInfo, MemberMessage,
    MembershipMachine, Standing, Timing,
};

struct Bench {
    machine: MembershipMachine,
    rng: Rng,
    now: Mono,
}

impl Bench {
    fn new(role: Role) -> Self {
        let mut bench = Self {
            machine: MembershipMachine::new(MemberInfo::new("me", role, EPOCH)),
            rng: Rng::from_number(1),
            now: Mono(1_000_000_000),
        };
        bench.tell(MemberEvent::Tick);
        bench
    }

    fn tell(&mut self, event: MemberEvent) -> Vec<MemberEffect> {
        let now = Now { mono: self.now, wall: Wall(EPOCH.0 + i64::try_from(self.now.0).unwrap()) };
        let mut out = Effects::default();
        self.machine.handle(Turn { now, rng: &mut self.rng, view: &() }, event, &mut out);
        self.machine.assert_invariants();
        out.drain().collect()
    }

    fn hello(&mut self, node: &str, role: Role) -> Vec<MemberEffect> {
        let info = MemberInfo::new(node, role, EPOCH);
        let message = MemberMessage::Hello { info, voters: Vec::new(), wants_answer: true };
        self.tell(MemberEvent::Message { from: node.into(), role, message })
    }

    /// All that it does from one heartbeat to the next, while it hears somebody.
    fn beat(&mut self, of: &str) -> Vec<MemberEffect> {
        self.now = self.now.after(Timing::BEAT);
        let mut effects = self.hello(of, Role::Server);
        effects.extend(self.tell(MemberEvent::Tick));
        effects
    }

    fn word(&self, node: &str) -> Option<&'static str> {
        let now = Now { mono: self.now, wall: EPOCH };
        let view = self.machine.view(now);
        view.iter().find(|view| view.info.node == node).map(|view| view.state.word())
    }
}

#[test]
fn no_more_members_are_known_than_fit() {
    let mut bench = Bench::new(Role::Server);
    for number in 0..300 {
        let info = MemberInfo::new(format!("n{number:03}"), Role::Agent, EPOCH);
        bench.tell(MemberEvent::Carrier(CarrierEvent::Info(info)));
    }
    assert_eq!(bench.machine.view(Now::default()).len(), MembershipMachine::KNOWN_MAX);
    assert_eq!(bench.machine.left_out(), 45);
    // One that has left makes room.
    bench.tell(MemberEvent::Forget { node: "n000".into() });
    bench.hello("late", Role::Agent);
    assert_eq!((bench.word("late"), bench.word("n000")), (Some("alive"), None));
}

#[test]
fn nobody_claims_to_be_another_or_to_be_more_than_its_certificate_says() {
    let mut bench = Bench::new(Role::Server);
    let info = MemberInfo::new("agent-1", Role::Server, EPOCH);
    let message = MemberMessage::Hello { info, voters: Vec::new(), wants_answer: false };
    let from = "agent-1".to_owned();
    bench.tell(MemberEvent::Message { from, role: Role::Agent, message: message.clone() });
    bench.tell(MemberEvent::Message { from: "agent-2".into(), role: Role::Server, message });
    assert_eq!((bench.word("agent-1"), bench.word("agent-2")), (None, None));
}

#[test]
fn only_judges_are_believed() {
    let mut bench = Bench::new(Role::Server);
    bench.tell(MemberEvent::Voters(vec!["me".into(), "server-2".into(), "server-3".into()]));
    bench.hello("server-2", Role::Server);
    bench.hello("agent-1", Role::Agent);
    bench.hello("agent-2", Role::Agent);
    let standing = Standing {
        node: "agent-2".into(),
        incarnation: EPOCH,
        flips: 1,
        damping: 1,
        has_left: false,
    };
    let said = |from: &str, role| MemberEvent::Message {
        from: from.into(),
        role,
        message: MemberMessage::Verdict { standing: standing.clone(), evidence: Vec::new() },
    };
    bench.tell(said("agent-1", Role::Agent));
    assert_eq!(bench.word("agent-2"), Some("alive"));
    bench.now = bench.now.after(Duration::from_millis(10));
    bench.tell(said("server-2", Role::Server));
    assert_eq!(bench.word("agent-2"), Some("dead"));
    // It is heard, so the verdict ends at once: the first time, nothing is waited for.
    bench.now = bench.now.after(Duration::from_millis(10));
    bench.hello("agent-2", Role::Agent);
    bench.tell(MemberEvent::Tick);
    assert_eq!(bench.word("agent-2"), Some("alive"));
}

#[test]
fn agents_learn_the_judges_from_servers_and_listen_to_them_alone() {
    let mut bench = Bench::new(Role::Agent);
    let voters = vec!["server-1".to_owned()];
    let info = MemberInfo::new("server-1", Role::Server, EPOCH);
    let message = MemberMessage::Hello { info, voters: voters.clone(), wants_answer: false };
    bench.tell(MemberEvent::Message { from: "server-1".into(), role: Role::Server, message });
    bench.hello("agent-2", Role::Agent);
    assert!(bench.machine.voters().eq(["server-1"]));
    bench.now = bench.now.after(Duration::from_secs(1));
    let heard: Vec<String> = bench
        .tell(MemberEvent::Tick)
        .into_iter()
        .filter_map(|effect| match effect {
            MemberEffect::Send { to, message: MemberMessage::Heartbeat { .. } } => Some(to),
            _ => None,
        })
        .collect();
    assert_eq!(heard, voters);
}

#[test]
fn something_that_came_over_the_link_counts_as_heard() {
    let mut bench = Bench::new(Role::Server);
    bench.tell(MemberEvent::Voters(vec!["me".into()]));
    bench.hello("agent-1", Role::Agent);
    let mut verdicts = 0;
    for _ in 0..100 {
        bench.now = bench.now.after(Duration::from_millis(100));
        for effect in bench.tell(MemberEvent::Tick) {
            match effect {
                MemberEffect::Probe { peer, .. } => drop(bench.tell(MemberEvent::Stirred { peer })),
                MemberEffect::Verdict(_) => verdicts += 1,
                _ => {}
            }
        }
    }
    assert_eq!((verdicts, bench.word("agent-1")), (0, Some("alive")));
}

#[test]
fn the_first_probe_of_each_silence_only_begins_to_look() {
    let mut bench = Bench::new(Role::Server);
    bench.tell(MemberEvent::Voters(vec!["me".into(), "server-2".into(), "server-3".into()]));
    bench.hello("server-2", Role::Server);
    bench.hello("server-3", Role::Server);
    let mut silences = Vec::new();
    for _ in 0..3 {
        bench.hello("agent-1", Role::Agent);
        let mut probes = Vec::new();
        for _ in 0..24 {
            bench.now = bench.now.after(Duration::from_millis(100));
            bench.hello("server-2", Role::Server);
            bench.hello("server-3", Role::Server);
            for effect in bench.tell(MemberEvent::Tick) {
                if let MemberEffect::Probe { peer, begins } = effect {
                    assert_eq!(peer, "agent-1");
                    probes.push(begins);
                }
            }
        }
        silences.push(probes);
    }
    assert_eq!(
        silences,
        [[true, false, false, false], [true, false, false, false], [true, false, false, false]]
    );
}

#[test]
fn alarms_do_not_multiply() {
    let mut bench = Bench::new(Role::Server);
    bench.tell(MemberEvent::Voters(vec!["me".into()]));
    bench.hello("agent-1", Role::Agent);
    // Each alarm is delivered at its time, the superseded ones too.
    let mut alarms = std::collections::BTreeSet::new();
    let start = bench.now;
    let mut handled = 0;
    bench.now = start.after(Duration::from_millis(1));
    for effect in bench.tell(MemberEvent::Tick) {
        if let MemberEffect::Wake { at } = effect {
            alarms.insert(at);
        }
    }
    alarms.insert(start.after(Duration::from_secs(1)));
    while let Some(at) = alarms.pop_first().filter(|at| at.since(start) < Duration::from_secs(60)) {
        bench.now = at;
        handled += 1;
        for effect in bench.tell(MemberEvent::Tick) {
            if let MemberEffect::Wake { at } = effect {
                assert!(at > bench.now, "an alarm in the past");
                alarms.insert(at);
            }
        }
    }
    assert!(handled < 100, "{handled} alarms in a minute");
}

/// Whom the carrier is told to exchange with.
fn asked(effects: &[MemberEffect]) -> Vec<&str> {
    let mut asked = Vec::new();
    for effect in effects {
        if let MemberEffect::Carrier(CarrierCommand::Exchange { node }) = effect {
            asked.push(node.as_str());
        }
    }
    asked
}

#[test]
fn whoever_knows_a_voter_by_name_alone_asks_until_it_knows_more() {
    let voters = || vec!["me".into(), "server-1".into(), "server-3".into()];
    let mut bench = Bench::new(Role::Server);
    bench.hello("server-1", Role::Server);
    // At once, for the one that can tell may soon be lost.
    assert_eq!(asked(&bench.tell(MemberEvent::Voters(voters()))), ["server-1"]);
    // And at each heartbeat.
    assert_eq!(asked(&bench.beat("server-1")), ["server-1"]);
    let third = MemberInfo::new("server-3", Role::Server, EPOCH);
    bench.tell(MemberEvent::Carrier(CarrierEvent::Info(third)));
    assert_eq!(asked(&bench.beat("server-1")), [""; 0]);
}

#[test]
fn an_agent_asks_for_the_voters_that_a_server_names() {
    let mut bench = Bench::new(Role::Agent);
    let info = MemberInfo::new("server-1", Role::Server, EPOCH);
    let voters = vec!["server-1".into(), "server-2".into()];
    let message = MemberMessage::Hello { info, voters, wants_answer: false };
    let from = "server-1".to_owned();
    let effects = bench.tell(MemberEvent::Message { from, role: Role::Server, message });
    assert_eq!(asked(&effects), ["server-1"]);
}

#[test]
fn a_voter_whom_nobody_knows_is_asked_for_no_longer_than_a_power_cut_lasts() {
    let mut bench = Bench::new(Role::Server);
    bench.hello("server-1", Role::Server);
    bench.tell(MemberEvent::Voters(vec!["me".into(), "server-1".into(), "gone".into()]));
    let mut rounds = 0;
    for _ in 0..60 {
        rounds += asked(&bench.beat("server-1")).len();
    }
    let most = usize::try_from(Timing::GRACE.as_millis() / Timing::BEAT.as_millis()).unwrap();
    assert!((1..=most).contains(&rounds), "{rounds}");
}
