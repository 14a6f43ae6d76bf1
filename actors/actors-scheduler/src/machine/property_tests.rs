//! Over random clusters: no node is ever overcommitted, and every pod that fits somewhere is bound
//! in the end.

use std::{collections::BTreeMap, time::Duration};

use actors_controller::{Key, World};
use actors_core::Rng;
use actors_object::{Object, value};

use super::{NODE, POD, tests::Bench};
use crate::{
    Resources,
    pod::PodFacts,
    scenery::{node, pod, with},
};

/// What the bound pods of each node ask for together, and what it has.
fn assert_no_overcommitment(bench: &Bench, seed: u64) {
    let mut taken: BTreeMap<String, (Resources, i64)> = BTreeMap::new();
    for pod in bench.world.list(&POD, None) {
        let facts = PodFacts::of(&pod);
        if let Some(node) = facts.node {
            let (sum, count) = taken.entry(node).or_default();
            sum.add(&facts.requests.asked);
            *count += 1;
        }
    }
    for (name, (sum, count)) in taken {
        let Some(node) = bench.world.get(&NODE, "", &name) else { continue };
        let limit = Resources::of(node.path(&["status", "allocatable"]).expect("allocatable"));
        let lacking = sum.lacking(&Resources::default(), &limit);
        assert!(lacking.is_empty(), "seed {seed}: {name} lacks {lacking:?}");
        let most = node.i64_at(&["status", "allocatable", "pods"]).unwrap_or(110);
        assert!(count <= most, "seed {seed}: {name} has {count} pods");
    }
}

fn random_node(number: u64, rng: &mut Rng) -> Object {
    let mut node = node(&format!("n{number}"), &format!("z{}", rng.below(3)));
    let cpu = format!("{}m", rng.between(500, 4_000));
    let pods = i64::try_from(rng.between(2, 12)).unwrap_or(2);
    let list = value!({ "cpu": cpu, "memory": "4Gi", "pods": pods });
    node.set_path(&["status", "allocatable"], list);
    node
}

fn random_pod(number: u64, rng: &mut Rng) -> Object {
    let app = format!("app{}", rng.below(4));
    let mut pod = pod(&format!("p{number}"), &app, &format!("{}m", rng.between(50, 1_500)));
    if rng.chance(200_000) {
        pod = with(
            pod,
            &["topologySpreadConstraints"],
            value!([{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": { "matchLabels": { "app": app } },
            }]),
        );
    } else if rng.chance(200_000) {
        let path =
            ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
        pod = with(
            pod,
            &path,
            value!([{
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": { "matchLabels": { "app": app } },
            }]),
        );
    }
    pod
}

fn run_one(seed: u64) {
    let mut rng = Rng::from_number(seed);
    let mut bench = Bench::new(seed);
    bench.refuse = 100_000;
    let mut names: (u64, u64) = (0, 0);
    for _ in 0..120 {
        match rng.below(10) {
            0 | 1 => {
                names.0 += 1;
                bench.put(random_node(names.0, &mut rng));
            }
            2 => remove_one(&mut bench, &mut rng, 300_000),
            3..=7 => {
                names.1 += 1;
                bench.put(random_pod(names.1, &mut rng));
            }
            8 => {
                bench.answer();
            }
            _ => bench.pass(Duration::from_millis(rng.between(1, 3_000))),
        }
        assert_no_overcommitment(&bench, seed);
    }
    bench.refuse = 0;
    bench.pass(Duration::from_secs(700));
    assert_no_overcommitment(&bench, seed);
    for pod in bench.world.list(&POD, None) {
        let facts = PodFacts::of(&pod);
        if facts.node.is_some() {
            continue;
        }
        let refusals = crate::scenery::refusals(bench.machine.cluster(), &pod);
        let fits = refusals.iter().find(|line| line.ends_with(": "));
        assert_eq!(fits, None, "seed {seed}: {} is not bound", facts.key);
    }
}

/// Takes a pod away, or by chance a node.
fn remove_one(bench: &mut Bench, rng: &mut Rng, node_per_million: u32) {
    let kind = if rng.chance(node_per_million) { &NODE } else { &POD };
    let all = bench.world.list(kind, None);
    if let Some(object) = rng.pick(&all) {
        bench.world.remove(&Key::of(object));
        bench.deliver();
    }
}

#[test]
fn no_node_is_overcommitted_and_what_fits_is_bound() {
    for seed in 0..80 {
        run_one(seed);
    }
}
