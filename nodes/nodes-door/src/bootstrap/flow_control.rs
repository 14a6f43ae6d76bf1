//! Which requests wait for which others, if nobody says otherwise.
//!
//! Way in: [`objects`], [`repair`].  Owns: `tables/flowcontrol.txt`.
//! Spec: Kubernetes documentation, "API Priority and Fairness", "Defaults", "Maintenance of the
//! Mandatory and Suggested Configuration Objects".

use actors_object::{Object, Value, value};

use super::Repair;

const TABLE: &str = include_str!("../../tables/flowcontrol.txt");

const VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";

/// Whether the cluster keeps an object's spec as it should be.
const AUTOUPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

/// Objects without which nothing works; nobody may change them, so that they are always kept.
const MANDATORY: [&str; 2] = ["exempt", "catch-all"];

/// The levels, then the schemas that lead to them.
pub(super) fn objects() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in super::lines(TABLE) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (line.starts_with(' '), words.as_slice()) {
            (true, words) => add_rule(&mut objects, words),
            (false, ["level", name, words @ ..]) => objects.extend(level(name, words)),
            (false, ["flow", name, precedence, level, method, subjects @ ..]) => {
                let spec = schema((*precedence, *level), method, subjects);
                objects.extend(spec.map(|spec| object("FlowSchema", name, spec)));
            }
            (false, _) => {}
        }
    }
    objects
}

fn object(kind: &str, name: &str, spec: Value) -> Object {
    // What is mandatory is the cluster's in any case; what is suggested until somebody says no.
    Object(value!({
        "apiVersion": VERSION,
        "kind": kind,
        "metadata": { "name": name, "annotations": { AUTOUPDATE: "true" } },
        "spec": spec,
    }))
}

fn level(name: &str, words: &[&str]) -> Option<Object> {
    let number = |word: &str| word.parse::<i64>().ok();
    let spec = match words {
        ["exempt"] => value!({
            "type": "Exempt",
            "exempt": { "nominalConcurrencyShares": 0, "lendablePercent": 0 },
        }),
        [shares, lendable, response @ ..] => {
            let response = match response {
                ["reject"] => value!({ "type": "Reject" }),
                [queues, hand, length] => value!({
                    "type": "Queue",
                    "queuing": {
                        "queues": number(queues)?,
                        "handSize": number(hand)?,
                        "queueLengthLimit": number(length)?,
                    },
                }),
                _ => return None,
            };
            value!({
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": number(shares)?,
                    "lendablePercent": number(lendable)?,
                    "limitResponse": response,
                },
            })
        }
        _ => return None,
    };
    Some(object("PriorityLevelConfiguration", name, spec))
}

fn schema((precedence, level): (&str, &str), method: &str, subjects: &[&str]) -> Option<Value> {
    let subjects = subjects.iter().map(|text| subject(text)).collect::<Option<Vec<Value>>>()?;
    let mut spec = value!({
        "priorityLevelConfiguration": { "name": level },
        "matchingPrecedence": precedence.parse::<i64>().ok()?,
        "rules": [{ "subjects": subjects }],
    });
    if method != "-" {
        spec.set_path(&["distinguisherMethod", "type"], method);
    }
    Some(spec)
}

fn subject(text: &str) -> Option<Value> {
    let (kind, name) = text.split_once('=')?;
    match kind {
        "group" => Some(value!({ "kind": "Group", "group": { "name": name } })),
        "user" => Some(value!({ "kind": "User", "user": { "name": name } })),
        "sa" => {
            let (namespace, name) = name.split_once('/')?;
            let account = value!({ "namespace": namespace, "name": name });
            Some(value!({ "kind": "ServiceAccount", "serviceAccount": account }))
        }
        _ => None,
    }
}

/// Adds rules to the only list of the last schema.
fn add_rule(objects: &mut [Object], words: &[&str]) {
    let lists = objects.last_mut().and_then(|schema| schema.list_at_mut(&["spec", "rules"]));
    let Some(rules) = lists.and_then(|lists| lists.first_mut()) else { return };
    for (list, rule) in rules_of(words) {
        rules.make_map().entry(list, || value!([])).make_list().push(rule);
    }
}

/// The rules of a line, each with the list that it belongs to; none for a line without a meaning.
fn rules_of(words: &[&str]) -> Vec<(&'static str, Value)> {
    const RESOURCES: &str = "resourceRules";
    const URLS: &str = "nonResourceRules";
    let list = |text: &str| Value::from(text.split(',').collect::<Vec<&str>>());
    let url = |verbs: &str, paths: &str| {
        (URLS, value!({ "verbs": list(verbs), "nonResourceURLs": list(paths) }))
    };
    match words {
        ["all"] => {
            let rule = value!({
                "verbs": ["*"],
                "apiGroups": ["*"],
                "resources": ["*"],
                "clusterScope": true,
                "namespaces": ["*"],
            });
            vec![(RESOURCES, rule), url("*", "*")]
        }
        ["url", verbs, paths] => vec![url(verbs, paths)],
        [verbs, groups, resources, places] => {
            let group = if *groups == "core" { "" } else { *groups };
            let mut rule = value!({
                "verbs": list(verbs),
                "apiGroups": [group],
                "resources": list(resources),
            });
            let spaces: Vec<&str> = places.split(',').filter(|place| *place != "cluster").collect();
            if places.split(',').any(|place| place == "cluster") {
                rule.set_path(&["clusterScope"], true);
            }
            if !spaces.is_empty() {
                rule.set_path(&["namespaces"], spaces);
            }
            vec![(RESOURCES, rule)]
        }
        _ => Vec::new(),
    }
}

/// What an object that exists lacks. What is mandatory is kept; what is suggested is kept while its
/// annotation says so, or while it says nothing and nobody has changed it.
pub(super) fn repair(wanted: &Object, found: &Object) -> Repair {
    let is_mandatory = MANDATORY.contains(&wanted.name());
    let is_ours = match found.annotation(AUTOUPDATE) {
        _ if is_mandatory => true,
        Some(text) => text == "true",
        None => found.generation() <= 1,
    };
    // How much of the server never waits, is for everybody to say.
    let is_free = wanted.kind() == "PriorityLevelConfiguration" && wanted.name() == "exempt";
    if !is_ours || found.spec() == wanted.spec() || is_free {
        return Repair::Nothing;
    }
    let mut spec = wanted.map_at(&["spec"]).clone();
    for name in found.map_at(&["spec"]).keys() {
        spec.set_default(name.clone(), Value::Null);
    }
    Repair::Patch(Value::Map([("spec", Value::Map(spec))].into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_line_has_a_meaning() {
        let objects = objects();
        let lines: Vec<&str> = super::super::lines(TABLE).collect();
        let heads = lines.iter().filter(|line| !line.starts_with(' ')).count();
        assert_eq!(objects.len(), heads);
        for line in lines.iter().filter(|line| line.starts_with(' ')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(!rules_of(&words).is_empty(), "{line}");
        }
    }

    #[test]
    fn every_schema_leads_to_a_level_and_is_valid() {
        let registry = actors_kinds::Registry::builtin().expect("the tables are good");
        let all = objects();
        for object in &all {
            let kind = registry.kind_of(object).expect("a known kind");
            let mut complete = object.clone();
            actors_kinds::default_object(kind, &mut complete);
            assert_eq!(complete.spec(), object.spec(), "{} says everything", object.name());
            assert_eq!(actors_kinds::validate_create(kind, &complete), [], "{}", object.name());
        }
        let levels = all.iter().filter(|one| one.kind() == "PriorityLevelConfiguration");
        let levels: Vec<&str> = levels.map(|one| one.name()).collect();
        for schema in all.iter().filter(|one| one.kind() == "FlowSchema") {
            let level = schema.str_at(&["spec", "priorityLevelConfiguration", "name"]);
            assert!(level.is_some_and(|level| levels.contains(&level)), "{}", schema.name());
        }
    }

    #[test]
    fn the_documented_objects_are_all_there() {
        let shown: Vec<String> = objects()
            .iter()
            .map(|one| match one.i64_at(&["spec", "matchingPrecedence"]) {
                Some(precedence) => format!("{precedence} {}", one.name()),
                None => one.name().to_owned(),
            })
            .collect();
        expect![[r"
            exempt
            catch-all
            system
            node-high
            leader-election
            workload-high
            workload-low
            global-default
            1 exempt
            2 probes
            100 system-leader-election
            150 endpoint-controller
            200 workload-leader-election
            400 system-node-high
            500 system-nodes
            800 kube-controller-manager
            800 kube-scheduler
            900 kube-system-service-accounts
            9000 service-accounts
            9900 global-default
            10000 catch-all
        "]]
        .assert_eq(&(shown.join("\n") + "\n"));
    }

    #[test]
    fn what_is_suggested_is_kept_until_somebody_takes_it_over() {
        let objects = objects();
        let wanted = objects.iter().find(|one| one.name() == "probes").expect("the schema");
        let mut found = wanted.clone();
        assert_eq!(repair(wanted, &found), Repair::Nothing);
        found.set_path(&["spec", "matchingPrecedence"], 3);
        found.set_generation(2);
        let patch = value!({ "spec": (wanted.spec().clone()) });
        assert_eq!(repair(wanted, &found), Repair::Patch(patch));
        found.set_annotation(AUTOUPDATE, "false");
        assert_eq!(repair(wanted, &found), Repair::Nothing);
        found.remove_path(&["metadata", "annotations"]);
        assert_eq!(repair(wanted, &found), Repair::Nothing);
    }
}
