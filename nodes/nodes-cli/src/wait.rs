//! `starling wait`: until an object has a condition, or is gone.
//!
//! Way in: [`run`].  Never: polling; a watch tells.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::{
    Arguments, Caller, Failure, Output, actors::escape, arguments::WaitOptions, client::Client,
    objects::lookup, up::known,
};

pub(crate) fn run(
    arguments: &Arguments,
    options: &WaitOptions,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    let (kind, name) = options
        .object
        .split_once('/')
        .ok_or_else(|| Failure::usage("name the object as KIND/NAME"))?;
    let list = lookup(&client, kind)?.path(Some(&options.namespace), None);
    let field = escape(&format!("metadata.name={name}"));
    let stream = client.stream(&format!(
        "{list}?watch=true&fieldSelector={field}&timeoutSeconds={}",
        options.timeout
    ))?;
    let is_deletion = options.condition.eq_ignore_ascii_case("delete");
    let answer = || {
        output.answer(
            &format!("{} condition met", options.object),
            &json!({"met": options.condition}),
        )
    };
    if is_deletion
        && client.get(&format!("{list}/{}", escape(name))).is_err_and(|failure| failure.code == 4)
    {
        return answer();
    }
    for line in BufReader::new(stream).lines() {
        let event: Value = serde_json::from_str(&line.map_err(|error| Failure::of(&error))?)
            .map_err(|error| Failure::new(format!("the watch sent no JSON: {error}")))?;
        let met = match event["type"].as_str() {
            Some("DELETED") => is_deletion,
            Some("ADDED" | "MODIFIED") => {
                !is_deletion && has_condition(&event["object"], &options.condition)
            }
            _ => false,
        };
        if met {
            return answer();
        }
    }
    let cause =
        format!("{} is not {} after {} s", options.object, options.condition, options.timeout);
    Err(Failure::new(cause).next(format!("kubectl describe {}", options.object)))
}

fn has_condition(object: &Value, wanted: &str) -> bool {
    let current = object["status"]["observedGeneration"].as_i64().unwrap_or(i64::MAX);
    let fresh = current >= object["metadata"]["generation"].as_i64().unwrap_or(0);
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let holds = |condition: &Value| {
        let name = condition["type"].as_str().unwrap_or_default();
        name.eq_ignore_ascii_case(wanted) && condition["status"] == "True"
    };
    fresh && conditions.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_counts_only_for_the_newest_generation() {
        let mut object = json!({
            "metadata": {"generation": 2},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "True"}]},
        });
        assert!(!has_condition(&object, "available"));
        object["status"]["observedGeneration"] = json!(2);
        assert!(has_condition(&object, "available"));
        assert!(!has_condition(&object, "progressing"));
    }
}
