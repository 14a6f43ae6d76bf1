//! What a measured piece of work took: processor time of ours and of the generator, and memory.
//!
//! Way in: [`Gauge::begin`], [`Gauge::end`].

use std::{fs, process};

use anyhow::Result;

use super::super::{
    idle::{memory_kib, processor_time},
    uptime,
};

/// The processes that are measured.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    pids: Vec<i32>,
}

/// A reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    at: f64,
    ours: f64,
    generator: f64,
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Seconds that passed.
    pub(crate) seconds: f64,
    /// Seconds of a processor that the measured processes took.
    pub(crate) ours: f64,
    /// Seconds of a processor that this process took.
    pub(crate) generator: f64,
}

impl Gauge {
    /// Of these processes.
    pub(crate) fn of(pids: Vec<i32>) -> Self {
        Self { pids }
    }

    /// Begins.
    pub(crate) fn begin(&self) -> Result<Mark> {
        let me = i32::try_from(process::id())?;
        let ours = processor_time(&self.pids)?.as_secs_f64();
        let generator = processor_time(&[me])?.as_secs_f64();
        Ok(Mark { at: uptime()?, ours, generator })
    }

    /// Ends.
    pub(crate) fn end(&self, mark: Mark) -> Result<Spent> {
        let now = self.begin()?;
        Ok(Spent {
            seconds: now.at - mark.at,
            ours: now.ours - mark.ours,
            generator: now.generator - mark.generator,
        })
    }

    /// Resident memory in MB.
    pub(crate) fn resident_mb(&self) -> Result<f64> {
        self.memory_mb("VmRSS:")
    }

    /// Forgets how much was resident at most. Spec: proc(5), `clear_refs`.
    pub(crate) fn reset_peak(&self) -> Result<()> {
        for pid in &self.pids {
            fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        }
        Ok(())
    }

    /// How much was resident at most since then, in MB: the sum of each process's own peak.
    pub(crate) fn peak_mb(&self) -> Result<f64> {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, field: &str) -> Result<f64> {
        Ok(memory_kib(&self.pids, field)? as f64 * 1_024.0 / 1e6)
    }
}
