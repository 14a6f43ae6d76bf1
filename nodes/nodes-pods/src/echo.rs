//! Notices that the API shows a status which this machine has not said, or has said before newer ones.
//!
//! Way in: [`Said`].  Why: a write that was given up, of this life or an earlier one, may still be
//! applied after newer ones; nobody else would ever put the status right.
//! Never: conditions, which others write too; two writers that correct each other never end. But for
//! one: what is said of a node that is not heard is put right after a while, when it is heard again.

use std::time::Duration;

use actors_object::Value;

/// The statuses that were said and that the API may come to show, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Vec<Value>);

/// How long a pod stays not ready that was declared so for its node: whoever cannot be heard is not
/// heard sooner by saying it more often.
pub(crate) const OVERRULED_FOR: Duration = Duration::from_secs(3);

/// Whether somebody says that the pod is not ready for its node has not been heard of: here, on that
/// node, something else may be true.
pub(crate) fn is_overruled(shown: &Value) -> bool {
    let conditions = shown.list_at(&["conditions"]);
    conditions.iter().any(|one| {
        one.str_at(&["type"]) == Some("Ready") && one.str_at(&["reason"]) == Some("NodeNotReady")
    })
}

/// What only the agent writes.
const OWN: [&str; 5] =
    ["phase", "podIP", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

impl Said {
    /// Statuses that are remembered; one that is older counts as never said.
    const LEN_MAX: usize = 16;

    /// Remembers a status that is being said.
    pub(crate) fn add(&mut self, status: &Value) {
        if self.0.len() == Self::LEN_MAX {
            self.0.remove(0);
        }
        self.0.push(status.clone());
    }

    /// Whether the status that the API shows is on its way to the newest one. What it has passed is
    /// forgotten: if it comes again, something older was applied late.
    pub(crate) fn expects(&mut self, shown: &Value) -> bool {
        let by_agent = !shown.list_at(&["containerStatuses"]).is_empty();
        if self.0.is_empty() || !by_agent {
            return true;
        }
        let same = |said: &Value| OWN.iter().all(|field| is_same(said.at(field), shown.at(field)));
        let Some(place) = self.0.iter().rposition(same) else { return false };
        self.0.drain(..place);
        true
    }
}

/// Whether two values say the same; what is empty is as good as absent.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            let both = one.keys().chain(other.keys());
            let field = |map: &actors_object::Map, name: &str| map.get(name).cloned();
            both.into_iter().all(|name| {
                let (one, other) = (field(one, name), field(other, name));
                is_same(&one.unwrap_or(Value::Null), &other.unwrap_or(Value::Null))
            })
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        _ => one == other || (is_nothing(one) && is_nothing(other)),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Map(map) => map.values().all(is_nothing),
        Value::List(list) => list.is_empty(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn status(ready: bool) -> Value {
        let state = value!({ "name": "web", "ready": ready, "lastState": {} });
        value!({ "phase": "Running", "conditions": [ready], "containerStatuses": [state] })
    }

    #[test]
    fn an_older_status_behind_a_newer_one_is_noticed() {
        let mut said = Said::default();
        assert!(said.expects(&status(false)), "nothing was said yet");
        said.add(&status(false));
        said.add(&status(true));
        for (shown, expected) in [(false, true), (true, true), (true, true), (false, false)] {
            assert_eq!(said.expects(&status(shown)), expected);
        }
        assert!(said.expects(&value!({ "phase": "Pending" })), "not an agent's status");
    }

    #[test]
    fn what_is_empty_or_others_write_makes_no_difference() {
        let mut said = Said::default();
        said.add(&status(true));
        let mut shown = status(true);
        shown.set_path(&["conditions"], Value::Null);
        shown.list_at_mut(&["containerStatuses"]).expect("one")[0].remove_path(&["lastState"]);
        assert!(said.expects(&shown));
    }

    #[test]
    fn what_is_said_of_a_node_that_is_not_heard_is_noticed() {
        let ready = |status: &str, reason: &str| value!({ "conditions": [{ "type": "Ready", "status": status, "reason": reason }] });
        assert!(is_overruled(&ready("False", "NodeNotReady")));
        assert!(!is_overruled(&ready("False", "ContainersNotReady")));
        assert!(!is_overruled(&ready("True", "")));
    }
}
