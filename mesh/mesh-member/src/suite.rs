//! What every carrier owes, as checks that run over any of them.
//!
//! Way in: [`CarrierField`], implemented by whoever brings a carrier, and [`check_all`].
//! Spec: the promises in the documentation of [`CarrierCommand`].

use std::{collections::BTreeMap, time::Duration};

use actors_core::Wall;
use mesh_wire::Role;

use crate::{CarrierCommand, MemberInfo};

/// What each member's carrier told last of each other member, by node and node.
pub type Told = BTreeMap<String, BTreeMap<String, MemberInfo>>;

/// Some members with carriers, on a network that the suite can cut. Time is real or virtual.
pub trait CarrierField {
    /// Starts a life of a node, which knows only how to reach these seeds. If one runs, it ends
    /// first, without a word.
    fn start(&mut self, info: MemberInfo, seeds: &[&str]);

    /// Ends the life of a node without a word.
    fn stop(&mut self, node: &str);

    /// Gives a carrier a command. With [`CarrierCommand::Forget`], what it was told of that node
    /// before is no longer part of what was told.
    fn command(&mut self, node: &str, command: CarrierCommand);

    /// No message passes between these two, until [`CarrierField::heal`].
    fn cut(&mut self, one: &str, other: &str);

    /// All messages pass again.
    fn heal(&mut self);

    /// Lets time pass until `is_done` holds of what was told, at most `within`. Says whether it
    /// does. What was told to an earlier life of a node is not part of it.
    fn run_until(&mut self, within: Duration, is_done: &dyn Fn(&Told) -> bool) -> bool;
}

/// How long a field of a few members may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs every check, each on a field of its own.
pub fn check_all<F: CarrierField>(mut new_field: impl FnMut() -> F) {
    check_everybody_hears_of_everybody(&mut new_field());
    check_changes_arrive(&mut new_field());
    check_a_later_life_wins(&mut new_field());
    check_a_way_around_a_cut(&mut new_field());
    check_a_healed_mesh_agrees(&mut new_field());
    check_the_forgotten_stay_forgotten(&mut new_field());
}

const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];

fn info(node: &str, life: i64) -> MemberInfo {
    let mut info = MemberInfo::new(node, Role::Agent, Wall(life));
    info.mesh_address = format!("192.0.2.1:{life}");
    info
}

fn start_all(field: &mut impl CarrierField) {
    for (index, node) in NODES.iter().enumerate() {
        // Everybody knows only the one before.
        let seeds: Vec<&str> =
            index.checked_sub(1).map(|before| NODES[before]).into_iter().collect();
        field.start(info(node, 100), &seeds);
    }
}

fn all_know(told: &Told, by: &[&str], wanted: &MemberInfo) -> bool {
    by.iter()
        .filter(|node| **node != wanted.node)
        .all(|node| told.get(*node).and_then(|known| known.get(&wanted.node)) == Some(wanted))
}

fn agree(field: &mut impl CarrierField, by: &[&str], wanted: &MemberInfo, what: &str) {
    let done = field.run_until(PATIENCE, &|told| all_know(told, by, wanted));
    assert!(done, "{what}: not everybody was told of {wanted:?}");
}

/// A chain of seeds becomes one mesh.
pub fn check_everybody_hears_of_everybody(field: &mut impl CarrierField) {
    start_all(field);
    for node in NODES {
        agree(field, &NODES, &info(node, 100), "join");
    }
}

/// What is published again arrives everywhere.
pub fn check_changes_arrive(field: &mut impl CarrierField) {
    start_all(field);
    agree(field, &NODES, &info("n1", 100), "join");
    let changed = MemberInfo { revision: 1, version: "2".into(), ..info("n1", 100) };
    field.command("n1", CarrierCommand::Publish(changed.clone()));
    agree(field, &NODES, &changed, "change");
}

/// A node that was restarted is told of in its later life, also by those who knew the earlier one.
pub fn check_a_later_life_wins(field: &mut impl CarrierField) {
    start_all(field);
    agree(field, &NODES, &info("n4", 100), "join");
    field.start(info("n4", 200), &["n3"]);
    agree(field, &NODES, &info("n4", 200), "later life");
}

/// Two that cannot reach each other are told of each other by the rest.
pub fn check_a_way_around_a_cut(field: &mut impl CarrierField) {
    start_all(field);
    agree(field, &NODES, &info("n1", 100), "join");
    field.cut("n1", "n2");
    let changed = MemberInfo { revision: 1, version: "2".into(), ..info("n1", 100) };
    field.command("n1", CarrierCommand::Publish(changed.clone()));
    agree(field, &NODES, &changed, "a way around");
}

/// What changed on one side of a cut is known on both when it heals.
pub fn check_a_healed_mesh_agrees(field: &mut impl CarrierField) {
    start_all(field);
    agree(field, &NODES, &info("n1", 100), "join");
    agree(field, &NODES, &info("n4", 100), "join");
    for (one, other) in [("n1", "n3"), ("n1", "n4"), ("n2", "n3"), ("n2", "n4")] {
        field.cut(one, other);
    }
    let changed = MemberInfo { revision: 1, version: "2".into(), ..info("n1", 100) };
    field.command("n1", CarrierCommand::Publish(changed.clone()));
    agree(field, &["n1", "n2"], &changed, "within the side");
    let crossed =
        field.run_until(Duration::from_secs(3), &|told| all_know(told, &["n3"], &changed));
    assert!(!crossed, "a cut let something through");
    field.heal();
    agree(field, &NODES, &changed, "healed");
}

/// A life that was forgotten is not told of again, though others know it; a later one is.
pub fn check_the_forgotten_stay_forgotten(field: &mut impl CarrierField) {
    start_all(field);
    agree(field, &NODES, &info("n4", 100), "join");
    field.stop("n4");
    for node in ["n1", "n2"] {
        let command = CarrierCommand::Forget { node: "n4".into(), incarnation: Wall(100) };
        field.command(node, command);
    }
    let told = field.run_until(Duration::from_secs(3), &|told| {
        ["n1", "n2"]
            .iter()
            .any(|node| told.get(*node).is_some_and(|known| known.contains_key("n4")))
    });
    assert!(!told, "a forgotten life was told of again");
    field.start(info("n4", 200), &["n3"]);
    agree(field, &["n1", "n2", "n3"], &info("n4", 200), "back");
}
