//! Capabilities and environment, the parts with rules of their own.

use serde_json::Value;

use super::{capabilities, environment};
use crate::Capabilities;

fn set(add: &[&str], drop: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let value = capabilities(&Capabilities { add: owned(add), drop: owned(drop) }, false);
    let names = value.get("bounding").and_then(Value::as_array).unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn capabilities_are_dropped_first_and_then_added() {
    assert_eq!(set(&[], &[]).len(), 14);
    assert_eq!(set(&["NET_ADMIN"], &["ALL"]), ["CAP_NET_ADMIN"]);
    assert!(!set(&[], &["cap_chown"]).contains(&"CAP_CHOWN".to_owned()));
    assert!(set(&["ALL"], &["CHOWN"]).len() > 14);
    assert!(!set(&["ALL"], &["CHOWN"]).contains(&"CAP_CHOWN".to_owned()));
    assert!(!set(&["NO_SUCH_THING"], &[]).contains(&"CAP_NO_SUCH_THING".to_owned()));
}

#[test]
fn the_last_value_of_a_variable_counts() {
    let env = ["A=1", "B=2", "A=3", "PATH=/x"].map(str::to_owned);
    assert_eq!(environment(&env, false), ["B=2", "A=3", "PATH=/x"]);
    assert_eq!(environment(&[], true).len(), 2);
}
