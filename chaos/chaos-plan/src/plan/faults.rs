//! One fault of a plan's file: when, for how long, what, and whom it hits.
//!
//! Way in: [`read_step`].

use std::time::Duration;

use super::{Plan, PlanError, Subject, file::Fields};
use crate::{FaultKind, Rhythm, Step, Target, Way};

/// What a file calls each kind of fault.
const KINDS: [&str; 21] = [
    "crash",
    "crash-after",
    "crash-amid",
    "power-cut",
    "isolate",
    "deaf",
    "mute",
    "unlink",
    "flap",
    "pause",
    "lose-process",
    "loss",
    "duplicate",
    "jumble",
    "delay",
    "slow-disk",
    "stall-disk",
    "full-disk",
    "fail-disk",
    "clock-jump",
    "clock-skew",
];

/// Reads one fault; the caller refuses fields that were not asked for.
pub(super) fn read_step(plan: &Plan, fields: &Fields<'_>) -> Result<Step, PlanError> {
    let at = fields.need("at", fields.span("at"))?;
    let span = fields.need("for", fields.span("for"))?;
    if span == Duration::ZERO {
        return Err(PlanError::of(fields.path("for"), "must be longer than nothing"));
    }
    let kinds: Vec<(&str, &str)> = KINDS.iter().map(|kind| (*kind, *kind)).collect();
    let kind = fields.need("fault", fields.choice("fault", &kinds))?;
    if plan.world == Subject::Actors && matches!(kind, "pause" | "lose-process") {
        let why = format!("{kind} is a fault of machines with pods: the world of actors has none");
        return Err(PlanError::of(fields.path("fault"), why));
    }
    Ok(Step { at, span, fault: read_fault(plan, fields, kind)? })
}

fn read_fault(plan: &Plan, fields: &Fields<'_>, kind: &str) -> Result<FaultKind, PlanError> {
    let of = || target(plan, fields, "of");
    let events = || -> Result<u32, PlanError> {
        let events = fields.need("events", fields.number("events", (1, 1_000_000)))?;
        Ok(u32::try_from(events).unwrap_or(1))
    };
    let per_million = || fields.need("perMillion", fields.per_million("perMillion"));
    Ok(match kind {
        "crash" => FaultKind::Crash(of()?),
        "crash-after" => FaultKind::CrashAfter { events: events()?, target: of()? },
        "crash-amid" => FaultKind::CrashAmid { events: events()?, target: of()? },
        "power-cut" => FaultKind::PowerCut,
        "isolate" => FaultKind::Isolate(of()?),
        "deaf" => FaultKind::Deaf(of()?),
        "mute" => FaultKind::Mute(of()?),
        "unlink" => unlink(plan, fields)?,
        "flap" => FaultKind::Flap(of()?),
        "pause" => FaultKind::Pause(of()?),
        "lose-process" => match of()? {
            target if target.is_agent() => FaultKind::LoseProcess(target),
            _ => {
                let why = "must be a machine that runs pods: a server is its process, crash it";
                return Err(PlanError::of(fields.path("of"), why));
            }
        },
        "loss" => FaultKind::Loss { per_million: per_million()? },
        "duplicate" => FaultKind::Duplicate { per_million: per_million()? },
        "jumble" => FaultKind::Jumble { per_million: per_million()? },
        "delay" => {
            let latency_max = fields.need("upTo", fields.span("upTo"))?;
            FaultKind::SlowNet { latency_max }
        }
        "slow-disk" => FaultKind::SlowDisk(disk_of(plan, fields)?),
        "stall-disk" => FaultKind::StallDisk(disk_of(plan, fields)?),
        "full-disk" => FaultKind::FullDisk(disk_of(plan, fields)?),
        "fail-disk" => FaultKind::FailDisk(disk_of(plan, fields)?),
        "clock-jump" => {
            let by_ms = fields.need("by", fields.signed_ms("by"))?;
            FaultKind::ClockJump { target: of()?, by_ms }
        }
        _ => {
            let ppm = fields.need("ppm", fields.number("ppm", (-500_000, 1_000_000)))?;
            FaultKind::ClockSkew { target: of()?, ppm: i32::try_from(ppm).unwrap_or(0) }
        }
    })
}

fn unlink(plan: &Plan, fields: &Fields<'_>) -> Result<FaultKind, PlanError> {
    let (from, to) = (target(plan, fields, "from")?, target(plan, fields, "to")?);
    if from == to {
        return Err(PlanError::of(fields.path("to"), "must be another machine than `from`"));
    }
    let ways = [("both", Way::Both), ("one", Way::One)];
    let way = fields.choice("way", &ways)?.unwrap_or(Way::Both);
    let rhythm = fields.map("flap")?.map(|flap| {
        flap.closed(|flap| {
            let cut = flap.span("cut")?.unwrap_or(Rhythm::USUAL.cut);
            let open = flap.span("open")?.unwrap_or(Rhythm::USUAL.open);
            Ok(Rhythm { cut, open })
        })
    });
    Ok(FaultKind::Unlink { from, to, way, rhythm: rhythm.transpose()? })
}

fn target(plan: &Plan, fields: &Fields<'_>, field: &'static str) -> Result<Target, PlanError> {
    let text = fields.need(field, fields.text(field))?;
    let of = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.parse::<u8>().ok());
    let others = plan.servers.saturating_sub(1);
    let meant = match text {
        "leader" => Some(Target::Leader),
        "fenced" => Some(Target::Fenced),
        _ => None,
    };
    let within = |number: Option<u8>, count: u8| number.filter(|number| *number < count);
    let meant = meant
        .or_else(|| within(of("follower-"), others).map(Target::Follower))
        .or_else(|| within(of("server-"), plan.servers).map(Target::Server))
        .or_else(|| within(of("agent-"), plan.agents).map(Target::Agent));
    meant.ok_or_else(|| {
        let (servers, agents) = (plan.servers, plan.agents);
        let mut names = format!("leader, fenced, server-0 to server-{}", servers.saturating_sub(1));
        if others > 0 {
            names += &format!(", follower-0 to follower-{}", others - 1);
        }
        names += &format!(", agent-0 to agent-{}", agents.saturating_sub(1));
        PlanError::of(fields.path(field), format!("must be one of {names}, is {text:?}"))
    })
}

/// Only servers have a disk that matters.
fn disk_of(plan: &Plan, fields: &Fields<'_>) -> Result<Target, PlanError> {
    let target = target(plan, fields, "of")?;
    if target.is_agent() && plan.world == Subject::Cluster {
        return Err(PlanError::of(fields.path("of"), "must be a server: only those keep a log"));
    }
    Ok(target)
}
