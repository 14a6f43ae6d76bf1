//! Containers that are plain processes of this machine, for machines where nobody is root: no image, no
//! isolation, no limits. What a container's first process starts is found by its session.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio as ProcessStdio},
};

use nix::{
    sys::{
        signal::{Signal, killpg},
        stat::Mode,
    },
    unistd::{Pid, mkfifo, setsid},
};
use nodes_oci::{ContainerSpec, ExecSpec, ProgramError, container::Stdio, paths::PodPaths};
use nodes_sys::Forked;

use super::Runtime;
use crate::{helper::Outcome, pod::PodSpec, state};

/// The containers of one pod.
#[derive(Debug)]
pub(super) struct Processes {
    paths: PodPaths,
}

impl Processes {
    pub(super) fn open(pod: &PodSpec) -> Self {
        Self { paths: pod.paths() }
    }

    fn gate(&self, id: &str) -> PathBuf {
        self.paths.bundle(id).join("start")
    }

    fn spec(&self, id: &str) -> PathBuf {
        self.paths.bundle(id).join("spec.json")
    }
}

impl Runtime for Processes {
    /// The first process waits at a named pipe until somebody writes to it.
    fn create(&self, spec: &ContainerSpec, stdio: Stdio) -> Outcome {
        spec.validate().map_err(|error| error.to_string())?;
        let mut command = command(&spec.args, &spec.env, &spec.cwd, stdio)?;
        let bundle = self.paths.bundle(&spec.id);
        fs::create_dir_all(&bundle).map_err(|error| failed("make the bundle", &error))?;
        state::write(&self.spec(&spec.id), spec)
            .map_err(|error| failed("keep the spec", &error))?;
        let gate = self.gate(&spec.id);
        mkfifo(&gate, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| failed("make a named pipe", &errno.into()))?;
        match nodes_sys::fork().map_err(|errno| failed("fork", &errno.into()))? {
            Forked::Parent(pid) => Ok(pid.as_raw()),
            Forked::Child => {
                let mut byte = [0_u8; 1];
                let is_open = setsid().is_ok()
                    && File::open(&gate).is_ok_and(|mut file| file.read_exact(&mut byte).is_ok());
                if is_open {
                    let error = command.exec();
                    // Into the container's own log, where its user looks.
                    writeln!(std::io::stderr(), "cannot run {:?}: {error}", spec.args).ok();
                }
                nodes_sys::exit_now(127)
            }
        }
    }

    fn start(&self, id: &str) -> Result<(), String> {
        let gate = File::options().write(true).open(self.gate(id));
        gate.and_then(|mut gate| gate.write_all(b"1")).map_err(|error| failed("start", &error))
    }

    fn exec(&self, spec: &ExecSpec, _number: u64, stdio: Stdio) -> Outcome {
        let own: ContainerSpec = state::read(&self.spec(&spec.container))
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("container {} has no bundle", spec.container))?;
        let env: Vec<String> = own.env.iter().chain(&spec.env).cloned().collect();
        let mut command = command(&spec.args, &env, &own.cwd, stdio)?;
        let child = command.process_group(0).spawn();
        let child = child.map_err(|error| {
            let program = spec.args.first().map_or("", String::as_str);
            let wrong = ProgramError::of_io(program, &error).map(|wrong| wrong.to_string());
            wrong.unwrap_or_else(|| format!("cannot run {:?}: {error}", spec.args))
        })?;
        i32::try_from(child.id()).map_err(|error| error.to_string())
    }

    fn signal_all(&self, _id: &str, pid: i32, signal: Signal) {
        // The first process leads its session and its group; a group that is gone needs no signal.
        killpg(Pid::from_raw(pid), signal).ok();
    }

    fn kill_pod(&self) {
        // Nothing but their sessions holds these processes together; `signal_all` has them.
    }

    fn is_oom_killed(&self, _id: &str) -> bool {
        false
    }

    fn remove(&self, id: &str) -> Outcome {
        for directory in [self.paths.bundle(id), self.paths.container_data(id)] {
            if directory.exists() {
                fs::remove_dir_all(&directory).map_err(|error| failed("remove files", &error))?;
            }
        }
        Ok(0)
    }

    fn remove_pod(&self) -> Outcome {
        let bundles = self.paths.run().join("bundles");
        if bundles.exists() {
            fs::remove_dir_all(&bundles).map_err(|error| failed("remove files", &error))?;
        }
        Ok(0)
    }
}

fn failed(what: &str, error: &std::io::Error) -> String {
    format!("cannot {what}: {error}")
}

fn command(args: &[String], env: &[String], cwd: &str, stdio: Stdio) -> Result<Command, String> {
    let Stdio::Streams { stdin, stdout, stderr } = stdio else {
        return Err("the process runtime has no terminals: use the oci runtime".to_owned());
    };
    let (program, rest) = args.split_first().ok_or("there is no command")?;
    let mut command = Command::new(program);
    command.args(rest).env_clear();
    command.envs(env.iter().filter_map(|entry| entry.split_once('=')));
    if !env.iter().any(|entry| entry.starts_with("PATH=")) {
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    }
    if !cwd.is_empty() {
        command.current_dir(cwd);
    }
    command.stdin(ProcessStdio::from(stdin));
    command.stdout(ProcessStdio::from(stdout)).stderr(ProcessStdio::from(stderr));
    Ok(command)
}
