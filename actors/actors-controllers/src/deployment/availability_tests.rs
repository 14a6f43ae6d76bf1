//! The promise of a rolling update, over random pods: never fewer available ones than allowed,
//! never more in all.

use actors_controller::{Controller, testing::Scene};
use actors_core::Rng;
use actors_object::{IntOrPercent, Round, Value, value};

use super::DeploymentController;
use crate::{
    ReplicaSetController,
    kinds::{DEPLOYMENT, POD},
    pods,
    scenery::{Agent, deployment, rolling, tick},
};

/// Available pods, and pods in all that are not ending.
fn count(scene: &Scene) -> (i64, i64) {
    let pods: Vec<_> = scene.world.iter().filter(|(key, _)| key.kind == POD).collect();
    let active = pods.iter().filter(|(_, pod)| pods::is_active(pod));
    let ready = active.clone().filter(|(_, pod)| pods::is_ready(pod)).count();
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    (size(ready), size(active.count()))
}

fn run_one(seed: u64) {
    let mut rng = Rng::from_number(seed);
    let replicas = i64::try_from(rng.between(1, 12)).unwrap_or(1);
    let bounds =
        [Value::Int(0), Value::Int(1), Value::Int(3), "25%".into(), "50%".into(), "100%".into()];
    let surge = rng.pick(&bounds).cloned().unwrap_or_default();
    let missing = rng.pick(&bounds).cloned().unwrap_or_default();
    let share = |bound: &Value, round| {
        IntOrPercent::from_value(bound).map_or(0, |bound| bound.scaled(replicas, round))
    };
    let (up, mut down) = (share(&surge, Round::Up), share(&missing, Round::Down));
    if up == 0 && down == 0 {
        down = 1;
    }
    let (least, most) = ((replicas - down).max(0), replicas + up);
    let what =
        format!("seed {seed}: {replicas} replicas, surge {surge:?}, unavailable {missing:?}");

    let mut scene =
        Scene::new().seeded(seed).with(deployment("web", replicas, rolling(surge, missing)));
    let controllers: [&dyn Controller; 2] = [&DeploymentController, &ReplicaSetController];
    let mut agent = Agent::new(seed);
    scene.settle_with(&controllers, |scene| agent.step(scene)).expect("the first rollout ends");
    agent.pace = u32::try_from(rng.between(100_000, 900_000)).unwrap_or(1);
    for (round, image) in ["v2", "v3", "broken", "v2"].into_iter().enumerate() {
        agent.broken = vec!["broken"];
        scene.change(&DEPLOYMENT, "d/web", |web| {
            let containers = value!([{ "name": "main", "image": image }]);
            web.set_path(&["spec", "template", "spec", "containers"], containers);
        });
        // Sometimes the user changes their mind before the rollout has ended.
        let steps = if rng.chance(300_000) { rng.between(1, 30) } else { 400 };
        let mut quiet = 0;
        for _ in 0..steps {
            // Whoever runs, runs on what the others have left: statuses may be stale.
            let chosen = rng.pick(&controllers);
            let acted = chosen.is_some_and(|one| scene.round(*one).is_some());
            tick(&mut scene);
            quiet = if agent.step(&mut scene) || acted { 0 } else { quiet + 1 };
            if quiet > 8 {
                break;
            }
            let (available, total) = count(&scene);
            assert!(available >= least, "{what}: {available} available in round {round}");
            assert!(total <= most, "{what}: {total} pods in round {round}");
        }
    }
    scene.settle_with(&controllers, |scene| agent.step(scene)).expect("the last rollout ends");
    let web = scene.get(&DEPLOYMENT, "d/web").expect("the deployment");
    assert_eq!(web.i64_at(&["status", "updatedReplicas"]), Some(replicas), "{what}");
    assert_eq!(web.i64_at(&["status", "availableReplicas"]), Some(replicas), "{what}");
}

#[test]
fn never_fewer_available_pods_than_allowed_and_never_more_in_all() {
    for seed in 0..80 {
        run_one(seed);
    }
}
