//! The generator against the committed table, and its small decisions.

use super::{TABLE, checkout, find_inputs, is_default_served, short_name, table_from};

#[test]
fn the_committed_table_is_what_the_generator_makes() {
    let root = checkout();
    let committed = std::fs::read_to_string(root.join(TABLE)).expect("the table is committed");
    assert!(committed.starts_with("# Facts of the Kubernetes v1.35 API."));
    let Some(from) = find_inputs(&root) else {
        println!("freshness of {TABLE} not compared: its inputs are not on this machine");
        return;
    };
    let fresh = table_from(&from).expect("the inputs can be condensed");
    assert!(fresh == committed, "{TABLE} is stale: run `cargo xtask generate`");
}

#[test]
fn names_are_shortened_by_their_origin() {
    let check = |long: &str, short: &str| assert_eq!(short_name(long), short);
    check("io.k8s.api.apps.v1.Deployment", "apps.v1.Deployment");
    check("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "meta.v1.ObjectMeta");
    check("io.k8s.apimachinery.pkg.version.Info", "machinery.version.Info");
}

#[test]
fn only_stable_versions_are_served_by_default() {
    assert!(is_default_served("v1") && is_default_served("v2"));
    assert!(!is_default_served("v1beta1") && !is_default_served("v1alpha3"));
}
