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
    let mut last = Value::Null;
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
        last = event["object"].clone();
    }
    let mut cause =
        format!("{} is not {} after {} s", options.object, options.condition, options.timeout);
    if let Some(trouble) = trouble(&last).or_else(|| trouble_below(&client, options, &last)) {
        cause = format!("{cause}: {trouble}");
    }
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

/// What the first pod that a workload selects waits for, if one of them says.
fn trouble_below(client: &Client, options: &WaitOptions, workload: &Value) -> Option<String> {
    let labels = workload["spec"]["selector"]["matchLabels"].as_object()?;
    let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
    let selector: Vec<String> = labels.iter().filter_map(pair).collect();
    let namespace = escape(&options.namespace);
    let selector = escape(&selector.join(","));
    let pods = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
    client.get(&pods).ok()?["items"].as_array()?.iter().find_map(trouble)
}

/// What a pod waits for: a node, or one of its containers for something. Spec: Kubernetes API reference, `PodCondition`
/// and `ContainerStateWaiting`.
fn trouble(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let said = |what: &Value| {
        let words =
            [&what["reason"], &what["message"]].map(|word| word.as_str().unwrap_or_default());
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        (!words.is_empty()).then(|| words.join(": "))
    };
    let conditions = status["conditions"].as_array();
    let unplaced = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False");
    let containers =
        ["initContainerStatuses", "containerStatuses"].map(|list| status[list].as_array());
    let mut waiting =
        containers.into_iter().flatten().flatten().map(|one| &one["state"]["waiting"]);
    let why = unplaced.and_then(said).or_else(|| waiting.find_map(said))?;
    Some(format!("pod {} waits: {why}", pod["metadata"]["name"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_says_what_it_waits_for() {
        let pod = |status: Value| json!({"metadata": {"name": "web-1"}, "status": status});
        let unplaced = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/5 nodes"},
        ]});
        let expected = Some("pod web-1 waits: Unschedulable: 0/5 nodes".to_owned());
        assert_eq!(trouble(&pod(unplaced)), expected);
        let without_image = json!({
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {"state": {"running": {}}},
                {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}},
            ],
        });
        let expected = Some("pod web-1 waits: ErrImagePull: no such image".to_owned());
        assert_eq!(trouble(&pod(without_image)), expected);
        assert_eq!(trouble(&pod(json!({"containerStatuses": [{"state": {"running": {}}}]}))), None);
    }

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
