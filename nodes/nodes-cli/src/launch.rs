//! Starts a part in the background under its guardian, and hears how far it comes.
//!
//! Way in: [`Launch`].  Time and order: listening begins before the process does, so that nothing said is missed.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    Failure, Output,
    arguments::Part,
    processes,
    readiness::{Listener, Word},
};

/// How long a process may be silent while it starts.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// One process to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    /// What stands before its steps: empty, or the machine's name.
    pub(crate) who: &'a str,
    /// The record that it is told.
    pub(crate) record: &'a Path,
    /// Where it says how far it is.
    pub(crate) run_dir: &'a Path,
    /// Where it writes.
    pub(crate) log: &'a Path,
}

impl Launch<'_> {
    /// Starts it and returns when it is ready; each step is shown, and told to `on_step`.
    pub(crate) fn start(
        &self,
        output: &Output,
        on_step: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        let listener = Listener::open(self.run_dir).map_err(|error| Failure::of(&error))?;
        spawn_guardian(self.record, Part::Node, self.log)?;
        self.listen(&listener, output, on_step)
    }

    /// Hears a process that may be starting until `is_ready`, asked in between, or it says so itself.
    pub(crate) fn wait_ready(
        &self,
        output: &Output,
        mut is_ready: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::of(&error);
        // Listening first, then asking: what is said in between is not missed.
        let listener = Listener::open(self.run_dir).map_err(failed)?;
        let mut asked = 0;
        while let Err(failure) = is_ready() {
            asked += 1;
            if asked > ASKS_MAX {
                return Err(failure);
            }
            match listener.next(ASK_EVERY).map_err(failed)? {
                Word::Ready => break,
                Word::Failed(why) => return Err(Failure::new(self.told(&why))),
                Word::Step(step) => output.progress(&format!("  {}", self.told(&step))),
                Word::Silence => {}
            }
        }
        Ok(())
    }

    fn listen(
        &self,
        listener: &Listener,
        output: &Output,
        on_step: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        let look = format!("less {}", self.log.display());
        loop {
            match listener.next(SILENCE_MAX).map_err(|error| Failure::of(&error))? {
                Word::Step(step) => {
                    output.progress(&format!("  {}", self.told(&step)));
                    on_step(&step);
                }
                Word::Ready => return Ok(()),
                Word::Failed(why) => {
                    self.stop();
                    // The words of the operating system, whichever part met them.
                    let is_disk_full = why.to_lowercase().contains("no space left");
                    let look = if is_disk_full { self.look_for_room() } else { look };
                    return Err(Failure::new(self.told(&why)).next(look));
                }
                Word::Silence => {
                    let cause = format!("the process said nothing for {} s", SILENCE_MAX.as_secs());
                    return Err(Failure::new(self.told(&cause)).next(look));
                }
            }
        }
    }

    /// The log is on the disk that all data are on.
    fn look_for_room(&self) -> String {
        format!("df -h {}", self.log.parent().unwrap_or(self.log).display())
    }

    /// A failing start must not be tried again in the background.
    fn stop(&self) {
        if let Some(pid) = processes::find(self.run_dir).guardian {
            processes::signal(pid, Signal::SIGTERM);
        }
    }

    fn told(&self, step: &str) -> String {
        if self.who.is_empty() { step.to_owned() } else { format!("{}: {step}", self.who) }
    }
}

/// How often a process that runs but is not ready is asked again.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// How many times, before it is given up.
const ASKS_MAX: u32 = 240;

/// Starts the guardian of a part; it goes on when this command has ended.
pub(crate) fn spawn_guardian(record: &Path, part: Part, log: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::of(&error);
    fs::create_dir_all(log.parent().unwrap_or(log)).map_err(failed)?;
    let log = fs::OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
    let again = log.try_clone().map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("guardian").arg("--record").arg(record);
    if part == Part::Forwarder {
        command.args(["--part", "forwarder"]);
    }
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(again)
        .spawn()
        .map(drop)
        .map_err(failed)
}
