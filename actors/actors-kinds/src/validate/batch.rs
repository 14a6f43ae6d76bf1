//! Jobs and cron jobs.

mod cron_job;
mod indexes;
mod job;
mod policies;
mod schedule;
mod status;

pub(crate) use job::own_selector;

use super::{Errors, PLAIN, Rules, Spot};

/// The rules of these kinds.
pub(super) const RULES: &[Rules] = &[
    Rules {
        group: "batch",
        kind: "Job",
        create: job::validate_new,
        object: job::validate,
        change: job::validate_change,
        status: status::validate,
        ..PLAIN
    },
    Rules {
        group: "batch",
        kind: "CronJob",
        create: cron_job::validate_new,
        object: cron_job::validate,
        ..PLAIN
    },
];
