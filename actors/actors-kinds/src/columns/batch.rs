//! Jobs, cron jobs, autoscalers, disruption budgets.

use actors_core::Now;
use actors_object::{IntOrPercent, Object, Value, timefmt};

use super::{
    AGE, Layout, NAME, age, column, human_duration, joined, metrics, number, or_none, since,
    string, text, wide, workload,
};

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        group: "batch",
        kind: "Job",
        columns: &[
            NAME,
            text("Status"),
            text("Completions"),
            text("Duration"),
            AGE,
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        cells: job,
    },
    Layout {
        group: "batch",
        kind: "CronJob",
        columns: &[
            NAME,
            text("Schedule"),
            text("Timezone"),
            column("Suspend", "boolean", 0),
            column("Active", "integer", 0),
            text("Last Schedule"),
            AGE,
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        cells: cron_job,
    },
    Layout {
        group: "autoscaling",
        kind: "HorizontalPodAutoscaler",
        columns: &[
            NAME,
            text("Reference"),
            text("Targets"),
            text("MinPods"),
            text("MaxPods"),
            text("Replicas"),
            AGE,
        ],
        cells: autoscaler,
    },
    Layout {
        group: "policy",
        kind: "PodDisruptionBudget",
        columns: &[
            NAME,
            text("Min Available"),
            text("Max Unavailable"),
            column("Allowed Disruptions", "integer", 0),
            AGE,
        ],
        cells: budget,
    },
];

fn job(object: &Object, now: Now) -> Vec<Value> {
    let done = number(object, &["status", "succeeded"]);
    let completions = match object.i64_at(&["spec", "completions"]) {
        Some(wanted) => format!("{done}/{wanted}"),
        None => match number(object, &["spec", "parallelism"]) {
            parallel @ 2.. => format!("{done}/1 of {parallel}"),
            _ => format!("{done}/1"),
        },
    };
    let mut cells = vec![
        object.name().into(),
        state(object).into(),
        completions.into(),
        duration(object, now).into(),
        age(object, now),
    ];
    cells.extend(workload::template(object));
    cells
}

/// How a job is, in one word: the first condition that holds.
fn state(job: &Object) -> &'static str {
    let holds = |sort: &str| {
        job.list_at(&["status", "conditions"]).iter().any(|condition| {
            string(condition, &["type"]) == sort && string(condition, &["status"]) == "True"
        })
    };
    let ends = ["Complete", "Failed"];
    let others = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
    if let Some(word) = ends.into_iter().find(|word| holds(word)) {
        return word;
    }
    if job.is_terminating() {
        return "Terminating";
    }
    others.into_iter().find(|word| holds(word)).unwrap_or("Running")
}

/// How long a job took, or takes until now; nothing if it has not begun.
fn duration(job: &Object, now: Now) -> String {
    let at = |name: &str| timefmt::parse(string(job, &["status", name]));
    let Some(start) = at("startTime") else { return String::new() };
    let end = at("completionTime").unwrap_or(now.wall);
    human_duration(end.0.saturating_sub(start.0).div_euclid(1_000_000_000))
}

fn cron_job(object: &Object, now: Now) -> Vec<Value> {
    let template = ["spec", "jobTemplate", "spec", "template", "spec", "containers"];
    let containers = object.list_at(&template);
    let selector = object.path(&["spec", "jobTemplate", "spec", "selector"]);
    let suspend = match object.bool_at(&["spec", "suspend"]) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = string(object, &["status", "lastScheduleTime"]);
    vec![
        object.name().into(),
        string(object, &["spec", "schedule"]).into(),
        or_none(string(object, &["spec", "timeZone"])),
        suspend.into(),
        i64::try_from(object.list_at(&["status", "active"]).len()).unwrap_or(i64::MAX).into(),
        if last.is_empty() { "<none>".into() } else { since(last, now).into() },
        age(object, now),
        joined(containers, "name").into(),
        joined(containers, "image").into(),
        workload::selector(selector.unwrap_or(&Value::Null)).into(),
    ]
}

fn autoscaler(object: &Object, now: Now) -> Vec<Value> {
    let target = object.spec().at("scaleTargetRef");
    let reference = format!("{}/{}", string(target, &["kind"]), string(target, &["name"]));
    let least = object.i64_at(&["spec", "minReplicas"]);
    vec![
        object.name().into(),
        reference.into(),
        metrics::targets(object).into(),
        least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string()).into(),
        number(object, &["spec", "maxReplicas"]).into(),
        number(object, &["status", "currentReplicas"]).into(),
        age(object, now),
    ]
}

fn budget(object: &Object, now: Now) -> Vec<Value> {
    let share = |name: &str| match IntOrPercent::from_value(object.spec().at(name)) {
        Some(IntOrPercent::Int(count)) => count.to_string(),
        Some(IntOrPercent::Percent(percent)) => format!("{percent}%"),
        None => "N/A".to_owned(),
    };
    vec![
        object.name().into(),
        share("minAvailable").into(),
        share("maxUnavailable").into(),
        number(object, &["status", "disruptionsAllowed"]).into(),
        age(object, now),
    ]
}
