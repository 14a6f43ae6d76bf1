//! Every decoder that a client's bytes reach, under inputs that nobody would write.
//!
//! `make test` tries so many inputs from fixed seeds; `STARLING_FUZZ_SECONDS=600 cargo test -p tests-fuzz` goes on for
//! so long in each of them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says how far it is, and stops where something is not as it must be"
)]

mod bounds;
mod families;
mod patches;
mod protobuf;
mod selectors;
mod text;

use actors_core::Rng;
use actors_kinds::{Registry, facts::Shape};
use actors_object::{Value, json};
use tests_fuzz::grow;

/// The kinds whose trees are grown: each has something that others have not.
const KINDS: [&str; 12] = [
    "core.v1.Pod",
    "core.v1.Secret",
    "core.v1.Service",
    "core.v1.Event",
    "apps.v1.Deployment",
    "batch.v1.CronJob",
    "autoscaling.v2.HorizontalPodAutoscaler",
    "networking.v1.Ingress",
    "rbac.v1.ClusterRole",
    "storage.v1.CSIStorageCapacity",
    "meta.v1.Status",
    "meta.v1.DeleteOptions",
];

fn registry() -> Registry {
    Registry::builtin().expect("the tables are good")
}

/// Trees of these kinds, so many of each.
fn grown(registry: &Registry, each: usize) -> Vec<(&'static str, Value)> {
    let mut rng = Rng::from_number(7).ready();
    let mut all = Vec::new();
    for name in KINDS {
        let shape = registry.shape_named(name);
        assert!(matches!(shape, Shape::Object(_)), "there is no type {name}");
        for _ in 0..each {
            all.push((name, grow(&mut rng, (registry.schema(), &shape), 9)));
        }
    }
    all
}

/// How a tree looks from afar.
fn outline(tree: &Value) -> String {
    let magnitude = json::to_vec(tree).len().max(1).ilog2();
    format!("depth {} length 2^{magnitude}", tree.depth())
}

/// The words of an error without what it found: one behaviour.
fn sort_of(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let plain: String =
        text.chars().filter(|letter| letter.is_alphabetic() || *letter == ' ').collect();
    plain.chars().take(60).collect()
}
