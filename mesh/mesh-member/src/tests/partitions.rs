//! Cuts of every shape: who may judge, who must not, and that all agree in the end.

use std::{collections::BTreeSet, slice::from_ref, time::Duration};

use actors_core::Rng;
use actors_sim::{Fault, NetFaults};

use super::cell::{BAD, Field, Plan, subset};

const SEEDS: u64 = 50;

/// The cell is cut in two: only the side with a majority of the voters judges, and all are one
/// again after it.
fn check_two_sides(servers: usize, agents: usize, faults: NetFaults) {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(servers, agents), faults);
        let mut rng = Rng::from_number(seed).derive("cut");
        let names = field.names();
        let one = subset(&names, rng.between(1, (1 << names.len()) - 2));
        let other = field.others(&one);
        let since = field.now();
        field.cut("sides", &one, &other, false);
        field.run(Duration::from_secs(20));
        let voters =
            |side: &[String]| side.iter().filter(|name| name.starts_with("server")).count();
        for (side, away) in [(&one, &other), (&other, &one)] {
            let has_majority = voters(side) * 2 > servers;
            for by in side {
                for of in side {
                    let believed = field.word(by, of);
                    let expected = if has_majority { "alive" } else { believed };
                    assert_eq!(believed, expected, "{by} of {of}\n{}", field.sim.report());
                }
                for of in away {
                    let is_dead = field.word(by, of) == "dead";
                    assert_eq!(is_dead, has_majority, "{by} of {of}\n{}", field.sim.report());
                }
            }
            if !has_majority {
                let said = field.verdicts_since(since);
                let said: Vec<_> = said.iter().filter(|(by, ..)| side.contains(by)).collect();
                assert!(said.is_empty(), "a minority judged: {said:?}\n{}", field.sim.report());
                for by in side.iter().filter(|name| name.starts_with("server")) {
                    assert!(field.sim.world.machine(by).is_deaf());
                    assert_eq!(field.word(by, by), "suspect");
                }
            }
        }
        field.sim.inject(Fault::HealAll);
        field.run(Duration::from_secs(10));
        field.assert_all_alive("healed");
    }
}

#[test]
fn only_the_majority_judges() {
    check_two_sides(3, 2, NetFaults::default());
    check_two_sides(5, 2, NetFaults::default());
    check_two_sides(3, 3, BAD);
}

/// One member loses one direction, to all or from all.
#[test]
fn a_member_that_is_mute_or_deaf_is_judged_by_the_others() {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(3, 2), BAD);
        let mut rng = Rng::from_number(seed).derive("cut");
        let names = field.names();
        let victim = vec![rng.pick(&names).unwrap().clone()];
        let others = field.others(&victim);
        let since = field.now();
        match seed % 2 {
            0 => field.cut("mute", &victim, &others, true),
            _ => field.cut("deaf", &others, &victim, true),
        }
        field.run(Duration::from_secs(5));
        for by in &others {
            assert_eq!(field.word(by, &victim[0]), "dead", "{by}\n{}", field.sim.report());
            for of in &others {
                assert_eq!(field.word(by, of), "alive", "{by} of {of}\n{}", field.sim.report());
            }
        }
        let said = field.verdicts_since(since);
        let about: BTreeSet<&String> = said.iter().map(|(_, node, _)| node).collect();
        assert_eq!(about, BTreeSet::from([&victim[0]]), "{}", field.sim.report());
        if seed % 2 == 0 && victim[0].starts_with("server") {
            // It hears the others, so it was told.
            assert_eq!(field.word(&victim[0], &victim[0]), "dead");
        }
        field.sim.inject(Fault::HealAll);
        field.run(Duration::from_secs(10));
        field.assert_all_alive("healed");
    }
}

/// Any set of directions is cut: those judges who hear a majority hold the same of everybody.
#[test]
fn one_way_cuts_end_in_one_opinion() {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(3, 2), NetFaults::default());
        let mut rng = Rng::from_number(seed).derive("cut");
        let names = field.names();
        for from in &names {
            for to in names.iter().filter(|to| *to != from) {
                if rng.chance(200_000) {
                    let name = format!("{from} {to}");
                    field.cut(&name, from_ref(from), from_ref(to), true);
                }
            }
        }
        field.run(Duration::from_secs(20));
        let servers: Vec<&String> =
            names.iter().filter(|name| name.starts_with("server")).collect();
        let sound: Vec<_> =
            servers.into_iter().filter(|by| field.word(by, by) == "alive").collect();
        for of in &names {
            let held: BTreeSet<bool> = sound
                .iter()
                .filter(|by| **by != of)
                .map(|by| field.view(by, of).state.is_dead())
                .collect();
            assert!(held.len() <= 1, "{of} is dead and is not\n{}", field.sim.report());
        }
        field.sim.inject(Fault::HealAll);
        field.run(Duration::from_secs(70));
        field.assert_all_alive("healed");
    }
}

/// One link is lost, in any direction: everybody else is heard by the third, so nobody is judged.
#[test]
fn a_lost_link_is_no_verdict() {
    for seed in 0..SEEDS {
        let faults = if seed % 2 == 0 { BAD } else { NetFaults::default() };
        let mut field = Field::settled(seed, Plan::new(3, 2), faults);
        let mut rng = Rng::from_number(seed).derive("cut");
        let names = field.names();
        let one = rng.pick(&names).unwrap().clone();
        let other = rng.pick(&field.others(from_ref(&one))).unwrap().clone();
        let since = field.now();
        field.cut("link", from_ref(&one), from_ref(&other), rng.chance(500_000));
        field.run(Duration::from_secs(30));
        let said = field.verdicts_since(since);
        assert!(said.is_empty(), "{one}, {other}: {said:?}\n{}", field.sim.report());
        for (by, of) in [(&one, &other), (&other, &one)] {
            if by.starts_with("server") && faults == NetFaults::default() {
                assert_eq!(field.word(by, of), "alive", "{by} of {of}\n{}", field.sim.report());
            }
        }
    }
}

/// Two servers and two agents: whoever is left with fewer than half of all judges nobody.
#[test]
fn of_two_servers_the_smaller_side_is_silent() {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(2, 3), BAD);
        let since = field.now();
        let one = vec!["server-1".to_owned()];
        let other = field.others(&one);
        field.cut("sides", &one, &other, false);
        field.run(Duration::from_secs(10));
        let said = field.verdicts_since(since);
        let by_one: Vec<_> = said.iter().filter(|(by, ..)| by == "server-1").collect();
        assert!(by_one.is_empty(), "{by_one:?}\n{}", field.sim.report());
        assert_eq!(field.word("server-2", "server-1"), "dead");
        assert_eq!(field.word("agent-1", "server-1"), "dead");
        field.sim.inject(Fault::HealAll);
        field.run(Duration::from_secs(10));
        field.assert_all_alive("healed");
    }
}

/// Nobody hears anybody for a while, as when a switch restarts: nobody is to blame.
#[test]
fn an_outage_of_the_whole_network_is_nobodys_death() {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(3, 3), NetFaults::default());
        let mut rng = Rng::from_number(seed).derive("cut");
        let since = field.now();
        let nothing = NetFaults { loss_ppm: 1_000_000, ..NetFaults::default() };
        field.sim.inject(Fault::Net(nothing));
        field.run(Duration::from_millis(rng.between(1_500, 20_000)));
        field.sim.inject(Fault::Net(if seed % 2 == 0 { BAD } else { NetFaults::default() }));
        field.run(Duration::from_secs(10));
        let said = field.verdicts_since(since);
        assert!(said.is_empty(), "{said:?}\n{}", field.sim.report());
    }
}
