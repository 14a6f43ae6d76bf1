//! One metric of an autoscaler, in the form that v1 keeps in an annotation and in that of v2.
//!
//! Spec: API reference of `autoscaling/v2 MetricSpec` and `MetricStatus`; the form in annotations is that of the
//! API before v2, with the fields of identifier, target and value side by side.

use actors_object::{Map, Value};

/// What is wanted, or what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// A metric of the spec: its `target`.
    Spec,
    /// A metric of the status: its `current` value.
    Status,
}

/// Where fields lie in the older form and in v2: the older name, the path in v2.
type Pairs = &'static [(&'static str, &'static [&'static str])];

/// One sort of metrics: its type, its field, its pairs.
struct Sort {
    name: &'static str,
    field: &'static str,
    pairs: Pairs,
}

const SPEC: &[Sort] = &[
    Sort {
        name: "Object",
        field: "object",
        pairs: &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("targetValue", &["target", "value"]),
            ("selector", &["metric", "selector"]),
            ("averageValue", &["target", "averageValue"]),
        ],
    },
    Sort {
        name: "Pods",
        field: "pods",
        pairs: &[
            ("metricName", &["metric", "name"]),
            ("targetAverageValue", &["target", "averageValue"]),
            ("selector", &["metric", "selector"]),
        ],
    },
    Sort {
        name: "Resource",
        field: "resource",
        pairs: &[
            ("name", &["name"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    },
    Sort {
        name: "ContainerResource",
        field: "containerResource",
        pairs: &[
            ("name", &["name"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
            ("container", &["container"]),
        ],
    },
    Sort {
        name: "External",
        field: "external",
        pairs: &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("targetValue", &["target", "value"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
    },
];

const STATUS: &[Sort] = &[
    Sort {
        name: "Object",
        field: "object",
        pairs: &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("currentValue", &["current", "value"]),
            ("selector", &["metric", "selector"]),
            ("averageValue", &["current", "averageValue"]),
        ],
    },
    Sort {
        name: "Pods",
        field: "pods",
        pairs: &[
            ("metricName", &["metric", "name"]),
            ("currentAverageValue", &["current", "averageValue"]),
            ("selector", &["metric", "selector"]),
        ],
    },
    Sort {
        name: "Resource",
        field: "resource",
        pairs: &[
            ("name", &["name"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
    Sort {
        name: "ContainerResource",
        field: "containerResource",
        pairs: &[
            ("name", &["name"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
            ("container", &["container"]),
        ],
    },
    Sort {
        name: "External",
        field: "external",
        pairs: &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("currentValue", &["current", "value"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
];

fn sort_of(side: Side, metric: &Value) -> Option<&'static Sort> {
    let sorts = if side == Side::Spec { SPEC } else { STATUS };
    sorts.iter().find(|sort| metric.str_at(&["type"]) == Some(sort.name))
}

/// Turns a metric of v2 into the older form.
pub(super) fn to_v1(side: Side) -> impl Fn(&Value) -> Value {
    move |metric| {
        let Some(sort) = sort_of(side, metric) else { return metric.clone() };
        let mut source = Map::new();
        for (old, new) in sort.pairs {
            match metric.at(sort.field).path(new) {
                Some(found) if !found.is_null() => {
                    source.insert(*old, found);
                }
                // These were no pointers: they are always there.
                _ if is_always_there(sort, old) => {
                    source.insert(*old, "0");
                }
                _ => {}
            }
        }
        outer(sort, source)
    }
}

/// Turns a metric of the older form into one of v2.
pub(super) fn to_v2(side: Side) -> impl Fn(&Value) -> Value {
    move |metric| {
        let Some(sort) = sort_of(side, metric) else { return metric.clone() };
        let from = metric.at(sort.field);
        let averaged = !from.at("averageValue").is_null();
        let mut source = Value::Map(Map::new());
        if side == Side::Spec {
            source.set_path(&["target", "type"], target_type(sort, from));
        }
        for (old, new) in sort.pairs {
            let found = from.at(old);
            let stands_in = averaged && is_always_there(sort, old) && found.as_str() == Some("0");
            if !found.is_null() && !stands_in {
                source.set_path(new, found.clone());
            }
        }
        outer(sort, source.as_map_mut().map(std::mem::take).unwrap_or_default())
    }
}

/// What kind of target v2 says it is.
fn target_type(sort: &Sort, from: &Value) -> &'static str {
    let has = |name: &str| !from.at(name).is_null();
    if has("targetAverageUtilization") {
        "Utilization"
    } else if sort.name == "Pods" || has("averageValue") || has("targetAverageValue") {
        "AverageValue"
    } else if matches!(sort.name, "Object" | "External") {
        "Value"
    } else {
        "AverageValue"
    }
}

fn is_always_there(sort: &Sort, old: &str) -> bool {
    sort.name == "Object" && matches!(old, "targetValue" | "currentValue")
}

fn outer(sort: &Sort, source: Map) -> Value {
    let mut metric = Map::new();
    metric.insert("type", sort.name);
    metric.insert(sort.field, source);
    metric.into()
}
