//! How long a verdict takes, over many seeds, and that none is false.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Mono, Rng};
use actors_sim::NetFaults;

use super::cell::{BAD, Event, Field, Plan};

const SEEDS: u64 = 200;

/// For cells that differ little from others.
const FEW: u64 = 60;

/// How a member is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// All its processes are killed; nothing answers in its place.
    Killed,
    /// Its processes are stopped, and may go on later.
    Paused,
    /// The network lets nothing through to it or from it.
    CutOff,
}

#[derive(Default)]
struct Times {
    suspected: Vec<Duration>,
    first: Vec<Duration>,
    /// After the first verdict.
    everywhere: Vec<Duration>,
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1]
}

fn lose(field: &mut Field, victim: &str, loss: Loss) -> Mono {
    match loss {
        Loss::Killed => field.crash(victim),
        Loss::Paused => field.tell(victim, Event::Pause),
        Loss::CutOff => {
            let victim = vec![victim.to_owned()];
            let others = field.others(&victim);
            field.cut("off", &victim, &others, false);
        }
    }
    field.now()
}

/// One member is lost at a random time; when did the others know?
fn measure(seed: u64, plan: &Plan, faults: NetFaults, loss: Loss, times: &mut Times) {
    let mut field = Field::settled(seed, plan.clone(), faults);
    let mut rng = Rng::from_number(seed).derive("times");
    field.run(Duration::from_millis(rng.between(0, 3_000)));
    let names = field.names();
    // Someone must be left to judge.
    let voters = plan.voters.len();
    let from = if voters == 1 { 1 } else { 0 };
    let victim = names[usize::try_from(rng.between(from, names.len() as u64 - 1)).unwrap()].clone();
    let lost = lose(&mut field, &victim, loss);
    field.run(Duration::from_secs(6));
    let world = &field.sim.world;
    let judges: Vec<String> = field.others(std::slice::from_ref(&victim));
    let mut known: BTreeMap<&str, Mono> = BTreeMap::new();
    for (at, by, verdict) in &world.verdicts {
        assert_eq!(verdict.node, victim, "a false verdict\n{}", field.sim.report());
        if *by != victim && verdict.state.is_dead() {
            known.entry(by).or_insert(*at);
        }
    }
    for judge in &judges {
        assert!(
            known.contains_key(judge.as_str()),
            "{judge} knows nothing\n{}",
            field.sim.report()
        );
    }
    let first = known.values().min().copied().unwrap();
    let last = known.values().max().copied().unwrap();
    let doubted = world.doubted.iter().filter(|((by, of), _)| *of == victim && *by != victim);
    let doubted = doubted.map(|(_, at)| *at).min().unwrap_or(first);
    times.suspected.push(doubted.since(lost));
    times.first.push(first.since(lost));
    times.everywhere.push(last.since(first));
}

fn check((servers, agents): (usize, usize), seeds: u64, faults: NetFaults, loss: Loss) {
    let plan = Plan::new(servers, agents);
    let mut times = Times::default();
    for seed in 0..seeds {
        measure(seed, &plan, faults, loss, &mut times);
    }
    let line = |times: &[Duration]| {
        let of = |percent| percentile(times, percent).as_millis();
        format!("p50 {} ms, p99 {} ms, max {} ms", of(50), of(99), of(100))
    };
    println!(
        "{servers} + {agents} {loss:?}: suspect {}; verdict {}; everywhere after {}",
        line(&times.suspected),
        line(&times.first),
        line(&times.everywhere)
    );
    assert!(percentile(&times.suspected, 99) <= Duration::from_millis(3_000));
    assert!(percentile(&times.first, 99) <= Duration::from_millis(3_500));
    assert!(percentile(&times.everywhere, 99) <= Duration::from_millis(1_000));
}

#[test]
fn three_servers_and_two_agents_judge_in_time() {
    check((3, 2), SEEDS, BAD, Loss::Killed);
    check((3, 2), SEEDS, BAD, Loss::Paused);
    check((3, 2), SEEDS, BAD, Loss::CutOff);
    check((3, 2), FEW, NetFaults::default(), Loss::Killed);
}

#[test]
fn a_single_server_judges_its_agents() {
    check((1, 1), SEEDS, BAD, Loss::Killed);
    check((1, 3), FEW, BAD, Loss::Paused);
}

#[test]
fn two_servers_judge_each_other_and_their_agents() {
    check((2, 0), SEEDS, BAD, Loss::Killed);
    check((2, 2), FEW, BAD, Loss::Killed);
}

#[test]
fn five_servers_judge_in_time() {
    check((5, 3), FEW, BAD, Loss::Killed);
}

#[test]
fn members_without_known_voters_judge_by_majority() {
    let plan = Plan { voters: Vec::new(), ..Plan::new(0, 5) };
    let mut times = Times::default();
    for seed in 0..FEW {
        measure(seed, &plan, BAD, Loss::Killed, &mut times);
    }
    assert!(percentile(&times.first, 99) <= Duration::from_millis(3_500));
}

#[test]
fn a_bad_network_makes_no_verdict() {
    for seed in 0..SEEDS / 2 {
        let plan = match seed % 4 {
            0 => Plan::new(1, 3),
            1 => Plan::new(2, 2),
            2 => Plan { voters: Vec::new(), ..Plan::new(0, 4) },
            _ => Plan::new(3, 2),
        };
        let mut field = Field::settled(seed, plan, BAD);
        field.run(Duration::from_secs(60));
        let verdicts = &field.sim.world.verdicts;
        assert!(verdicts.is_empty(), "{verdicts:?}\n{}", field.sim.report());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut field = Field::settled(seed, Plan::new(3, 2), BAD);
        field.crash("agent-1");
        field.run(Duration::from_secs(10));
        field.sim.hash()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn an_idle_member_wakes_once_a_second_and_says_one_thing_to_each() {
    let mut field = Field::settled(1, Plan::new(3, 2), NetFaults::default());
    let (messages, wakes) = (field.sim.world.messages, field.sim.world.wakes);
    field.run(Duration::from_secs(100));
    let messages = field.sim.world.messages - messages;
    let wakes = field.sim.world.wakes - wakes;
    // Six ways between servers, twelve between servers and agents, none between agents; 104 times.
    assert!((1_850..=1_900).contains(&messages), "{messages} messages in 100 s");
    assert!((510..=540).contains(&wakes), "{wakes} wake-ups in 100 s");
}
