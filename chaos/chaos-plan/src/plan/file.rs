//! A plan as a file: YAML or JSON, every field checked, each mistake told with its path.
//!
//! Way in: [`Plan::read`].  Never: a field that is ignored; an unknown one is refused.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use actors_object::{
    FieldPath, Value,
    json::{self, Limits, Parsed},
    yaml,
};

use super::{Drawn, Liveness, Plan, PlanError, Subject, Tuning, faults};

/// Most bytes of a file.
const BYTES_MAX: usize = 256 * 1024;
/// The longest span that a plan may name.
const SPAN_MAX: Duration = Duration::from_secs(24 * 3_600);

impl Plan {
    /// Reads a plan of this name from the text of a file: JSON if it begins with `{`, else YAML.
    ///
    /// # Errors
    /// The first field that is wrong, and why.
    pub fn read(name: &str, text: &str) -> Result<Self, PlanError> {
        let limits = Limits { bytes: BYTES_MAX, ..Limits::default() };
        let is_json = text.trim_start().starts_with('{');
        let parsed = match is_json {
            true => json::parse(text.as_bytes(), limits),
            false => yaml::parse(text.as_bytes(), limits),
        };
        let Parsed { value, duplicates } =
            parsed.map_err(|error| PlanError::of("plan", error.to_string()))?;
        if let Some(twice) = duplicates.first() {
            return Err(PlanError::of(twice, "stands there twice"));
        }
        let plan = read_plan(name, &Fields::of(&FieldPath::root(), &value)?)?;
        plan.check()?;
        Ok(plan)
    }
}

fn read_plan(name: &str, fields: &Fields<'_>) -> Result<Plan, PlanError> {
    let usual = Plan::default();
    let small = |field, low: u8, high: u8, usual: u8| {
        let number = fields.number(field, (i64::from(low), i64::from(high)))?;
        Ok(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(usual))
    };
    let worlds = [("cluster", Subject::Cluster), ("actors", Subject::Actors)];
    let draws = [
        ("all", Drawn::All),
        ("agents", Drawn::Agents),
        ("processes", Drawn::Processes),
        ("nothing", Drawn::Nothing),
    ];
    let mut plan = Plan {
        name: name.to_owned(),
        about: fields.text("about")?.unwrap_or_default().to_owned(),
        world: fields.choice("world", &worlds)?.unwrap_or_default(),
        servers: small("servers", 1, 7, usual.servers)?,
        agents: small("agents", 1, 100, usual.agents)?,
        clients: small("clients", 1, 20, usual.clients)?,
        warm_up: fields.span("warmUp")?.unwrap_or(usual.warm_up),
        faults_for: fields.span("faultsFor")?.unwrap_or(usual.faults_for),
        converge_within: fields.span("convergeWithin")?.unwrap_or(usual.converge_within),
        drawn: fields.choice("drawn", &draws)?.unwrap_or_default(),
        fault_points: fields.flag("faultPoints")?.unwrap_or(usual.fault_points),
        ..usual
    };
    if let Some(budget) = fields.map("budget")? {
        let cuts = budget.number("powerCuts", (0, 100))?;
        plan.power_cuts = cuts.and_then(|cuts| u8::try_from(cuts).ok()).unwrap_or(plan.power_cuts);
        plan.recovery = budget.span("recovery")?.unwrap_or(plan.recovery);
        let promises = [("demanded", Liveness::Demanded), ("none", Liveness::NotPromised)];
        plan.liveness = budget.choice("liveness", &promises)?.unwrap_or_default();
        budget.end()?;
    }
    plan.tuning = read_tuning(fields, &mut plan.drift_ppm_max)?;
    for (path, planted) in fields.list("planted")? {
        let name = planted.as_str().ok_or_else(|| PlanError::of(&path, "must be a name"))?;
        plan.planted.push(name.to_owned());
    }
    for (path, fault) in fields.list("faults")? {
        let fields = Fields::of(&path, fault)?;
        plan.faults.push(faults::read_step(&plan, &fields)?);
        fields.end()?;
    }
    fields.end()?;
    Ok(plan)
}

fn read_tuning(fields: &Fields<'_>, drift_ppm_max: &mut u32) -> Result<Tuning, PlanError> {
    let mut tuning = Tuning::default();
    if let Some(workload) = fields.map("workload")? {
        tuning.pause_max = workload.span("pauseMax")?;
        tuning.control_ppm = workload.per_million("controlPerMillion")?;
        workload.end()?;
    }
    if let Some(disks) = fields.map("disks")? {
        tuning.sync_max = disks.span("syncMax")?;
        disks.end()?;
    }
    if let Some(clocks) = fields.map("clocks")? {
        let drift = clocks.number("driftPpmMax", (0, 10_000))?;
        let drift = drift.and_then(|drift| u32::try_from(drift).ok());
        *drift_ppm_max = drift.unwrap_or(*drift_ppm_max);
        clocks.end()?;
    }
    Ok(tuning)
}

/// The fields of one map, each read at most once by its name.
pub(super) struct Fields<'a> {
    path: FieldPath,
    value: &'a Value,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Fields<'a> {
    fn of(path: &FieldPath, value: &'a Value) -> Result<Self, PlanError> {
        let path = path.clone();
        match value {
            Value::Map(_) => Ok(Self { path, value, known: RefCell::default() }),
            other if path.is_root() => {
                Err(PlanError::of("plan", format!("must be an object, is {}", other.type_name())))
            }
            other => Err(wrong(&path, "an object", other)),
        }
    }

    pub(super) fn path(&self, field: &str) -> FieldPath {
        self.path.push_field(field)
    }

    fn get(&self, field: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(field);
        self.value.get(field).filter(|value| !value.is_null())
    }

    /// Refuses what nobody asked for.
    fn end(&self) -> Result<(), PlanError> {
        let known = self.known.borrow();
        let map = self.value.as_map().into_iter().flat_map(|map| map.keys());
        let names: Vec<&str> = known.iter().copied().collect();
        for name in map.map(|name| &**name) {
            if !names.contains(&name) {
                let why = format!("is no field here; there are {}", names.join(", "));
                return Err(PlanError::of(self.path(name), why));
            }
        }
        Ok(())
    }

    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(&self.path(field), "a text", value))
    }

    fn flag(&self, field: &'static str) -> Result<Option<bool>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let refusal = || wrong(&self.path(field), "true or false", value);
        value.as_bool().map(Some).ok_or_else(refusal)
    }

    pub(super) fn number(
        &self,
        field: &'static str,
        (low, high): (i64, i64),
    ) -> Result<Option<i64>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let asked = format!("a whole number from {low} to {high}");
        match value.as_i64().filter(|number| (low..=high).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(&self.path(field), &asked, value)),
        }
    }

    pub(super) fn per_million(&self, field: &'static str) -> Result<Option<u32>, PlanError> {
        let number = self.number(field, (0, 1_000_000))?;
        Ok(number.and_then(|number| u32::try_from(number).ok()))
    }

    /// A span: a number with `us`, `ms`, `s` or `m`.
    pub(super) fn span(&self, field: &'static str) -> Result<Option<Duration>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let span = value.as_str().and_then(span_of).filter(|span| *span <= SPAN_MAX);
        let refusal = || wrong(&self.path(field), "a span like 250us, 120ms, 4s or 2m", value);
        span.map(Some).ok_or_else(refusal)
    }

    /// The same, with a sign in front of it, in milliseconds.
    pub(super) fn signed_ms(&self, field: &'static str) -> Result<Option<i64>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = value.as_str().unwrap_or_default();
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
        let ms = span_of(text).and_then(|span| i64::try_from(span.as_millis()).ok());
        let refusal = || wrong(&self.path(field), "a span like 90s or -500ms", value);
        ms.map(|ms| Some(sign * ms)).ok_or_else(refusal)
    }

    pub(super) fn choice<T: Copy>(
        &self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let meant = choices.iter().find(|(name, _)| value.as_str() == Some(name));
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let asked = format!("one of {}", names.join(", "));
        meant.map(|(_, meant)| Some(*meant)).ok_or_else(|| wrong(&self.path(field), &asked, value))
    }

    pub(super) fn map(&self, field: &'static str) -> Result<Option<Self>, PlanError> {
        self.get(field).map(|value| Self::of(&self.path(field), value)).transpose()
    }

    fn list(&self, field: &'static str) -> Result<Vec<(FieldPath, &'a Value)>, PlanError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let path = self.path(field);
        let items = value.as_list().ok_or_else(|| wrong(&path, "a list", value))?;
        Ok(items.iter().enumerate().map(|(place, item)| (path.push_index(place), item)).collect())
    }

    /// What must be there.
    pub(super) fn need<T>(
        &self,
        field: &'static str,
        found: Result<Option<T>, PlanError>,
    ) -> Result<T, PlanError> {
        found?.ok_or_else(|| PlanError::of(self.path(field), "is missing"))
    }

    /// The inner map, with all of its fields read.
    pub(super) fn closed<T>(
        self,
        read: impl FnOnce(&Self) -> Result<T, PlanError>,
    ) -> Result<T, PlanError> {
        let read = read(&self)?;
        self.end()?;
        Ok(read)
    }
}

fn wrong(path: &FieldPath, asked: &str, value: &Value) -> PlanError {
    let is = match value {
        Value::String(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        other => format!("of type {}", other.type_name()),
    };
    PlanError::of(path, format!("must be {asked}, is {is}"))
}

fn span_of(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}
