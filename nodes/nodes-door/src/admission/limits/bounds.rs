//! One limit against one thing: too little, too much, too far apart.
//!
//! Way in: [`of`], [`of_claim`].  The words are those that Kubernetes' users know and search for.

use actors_kinds::amounts::{self, Amounts};
use actors_object::{Object, Quantity, Value};

/// What a container, or a pod as a whole, asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) requests: Amounts,
    pub(super) limits: Amounts,
}

/// What is wrong with a container or a pod.
pub(super) fn of(sort: &str, limit: &Value, asked: &Asked) -> Vec<String> {
    let list = |name: &str| amounts::of_list(limit.at(name));
    let mut faults = Vec::new();
    for (name, least) in list("min") {
        faults.extend(below(
            &format!("minimum {name} usage per {sort} is {least}"),
            (&name, least),
            asked,
        ));
    }
    for (name, most) in list("max") {
        faults.extend(above(
            &format!("maximum {name} usage per {sort} is {most}"),
            (&name, most),
            asked,
        ));
    }
    for (name, most) in list("maxLimitRequestRatio") {
        let rule = format!("{name} max limit to request ratio per {sort} is {most}");
        faults.extend(apart(&rule, (&name, most), asked));
    }
    faults
}

/// What is wrong with a claim, which has requests only.
pub(super) fn of_claim(limit: &Value, claim: &Object) -> Vec<String> {
    const STORAGE: &str = "storage";
    let requests = claim.path(&["spec", "resources", "requests"]).unwrap_or(&Value::Null);
    let asked = Asked { requests: amounts::of_list(requests), limits: Amounts::new() };
    let bound = |list: &str| amounts::of_list(limit.at(list)).remove(STORAGE);
    let rule = |word: &str, amount: Quantity| {
        format!("{word} {STORAGE} usage per PersistentVolumeClaim is {amount}")
    };
    let low =
        bound("min").and_then(|least| below(&rule("minimum", least), (STORAGE, least), &asked));
    let high = bound("max").and_then(|most| match asked.requests.get(STORAGE) {
        None => Some(format!("{}. No request is specified", rule("maximum", most))),
        Some(request) if *request > most => {
            Some(format!("{}, but request is {request}", rule("maximum", most)))
        }
        Some(_) => None,
    });
    low.into_iter().chain(high).collect()
}

/// Too little is asked for. A limit below the least is no better than a request.
fn below(rule: &str, (name, least): (&str, Quantity), asked: &Asked) -> Option<String> {
    match (asked.requests.get(name), asked.limits.get(name)) {
        (None, _) => Some(format!("{rule}. No request is specified")),
        (Some(request), _) if *request < least => Some(format!("{rule}, but request is {request}")),
        (_, Some(limit)) if *limit < least => Some(format!("{rule}, but limit is {limit}")),
        _ => None,
    }
}

/// Too much is asked for, or there is no end to it.
fn above(rule: &str, (name, most): (&str, Quantity), asked: &Asked) -> Option<String> {
    match (asked.limits.get(name), asked.requests.get(name)) {
        (None, _) => Some(format!("{rule}. No limit is specified")),
        (Some(limit), _) if *limit > most => Some(format!("{rule}, but limit is {limit}")),
        (_, Some(request)) if *request > most => Some(format!("{rule}, but request is {request}")),
        _ => None,
    }
}

/// The limit is too many times the request.
fn apart(rule: &str, (name, most): (&str, Quantity), asked: &Asked) -> Option<String> {
    let some = |list: &Amounts| list.get(name).copied().filter(|amount| !amount.is_zero());
    let Some(request) = some(&asked.requests) else {
        return Some(format!("{rule}, but no request is specified or request is 0"));
    };
    let Some(limit) = some(&asked.limits) else {
        return Some(format!("{rule}, but no limit is specified or limit is 0"));
    };
    // In whole numbers: limit / request > most, where amounts are counted in billionths.
    let is_within = most
        .nanos()
        .checked_mul(request.nanos())
        .is_none_or(|most| limit.nanos().saturating_mul(1_000_000_000) <= most);
    let ratio = limit.nanos() as f64 / request.nanos() as f64;
    (!is_within).then(|| format!("{rule}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use actors_object::value;
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(limit: Value, requests: Value, limits: Value, expected: &Expect) {
        let asked =
            Asked { requests: amounts::of_list(&requests), limits: amounts::of_list(&limits) };
        expected.assert_eq(&of("Container", &limit, &asked).join("\n"));
    }

    #[test]
    fn too_little_is_told() {
        let min = || value!({ "min": { "cpu": "200m" } });
        let cpu = |amount: &str| value!({ "cpu": amount });
        check(min(), cpu("200m"), cpu("200m"), &expect![""]);
        check(
            min(),
            cpu("100m"),
            Value::Null,
            &expect!["minimum cpu usage per Container is 200m, but request is 100m"],
        );
        check(
            min(),
            cpu("300m"),
            cpu("100m"),
            &expect!["minimum cpu usage per Container is 200m, but limit is 100m"],
        );
        check(
            min(),
            Value::Null,
            Value::Null,
            &expect!["minimum cpu usage per Container is 200m. No request is specified"],
        );
    }

    #[test]
    fn too_much_is_told() {
        let max = || value!({ "max": { "memory": "1Gi" } });
        let memory = |amount: &str| value!({ "memory": amount });
        check(max(), memory("1Gi"), memory("1Gi"), &expect![""]);
        check(
            max(),
            memory("1Gi"),
            memory("1536Mi"),
            &expect!["maximum memory usage per Container is 1Gi, but limit is 1536Mi"],
        );
        check(
            max(),
            memory("2Gi"),
            memory("1Gi"),
            &expect!["maximum memory usage per Container is 1Gi, but request is 2Gi"],
        );
        check(
            max(),
            Value::Null,
            Value::Null,
            &expect!["maximum memory usage per Container is 1Gi. No limit is specified"],
        );
    }

    #[test]
    fn too_far_apart_is_told() {
        let ratio = || value!({ "maxLimitRequestRatio": { "cpu": "2" } });
        let cpu = |amount: &str| value!({ "cpu": amount });
        check(ratio(), cpu("1"), cpu("2"), &expect![""]);
        check(
            ratio(),
            cpu("1"),
            cpu("2500m"),
            &expect![
                "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000"
            ],
        );
        check(
            ratio(),
            cpu("0"),
            cpu("1"),
            &expect![
                "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"
            ],
        );
    }
}
