//! A program that a container does not have, or that cannot be run there: what its user is told, and with which exit
//! code it counts as ended.
//!
//! Way in: [`ProgramError`].  Never: the id of a container, which its user does not know.
//! Spec: POSIX, "Exit Status for Commands": 127 if it was not found, 126 if it cannot be executed.

use std::io;

/// Why a container's program could not be started; its text is what kubectl's users know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to start container process: exec: {program:?}: {}", cause.text(program))]
pub struct ProgramError {
    program: String,
    cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NotFound,
    NotExecutable,
}

const BEGINNING: &str = "unable to start container process: exec: ";
const NOT_IN_PATH: &str = "executable file not found in $PATH";
const NO_FILE: &str = "no such file or directory";
const NO_RIGHT: &str = "permission denied";

impl Cause {
    fn text(self, program: &str) -> String {
        match self {
            Self::NotFound if program.contains('/') => format!("stat {program}: {NO_FILE}"),
            Self::NotFound => NOT_IN_PATH.to_owned(),
            Self::NotExecutable => NO_RIGHT.to_owned(),
        }
    }
}

impl ProgramError {
    /// What libcontainer says of this program, if that is what went wrong: its error is nothing but text by then.
    pub(crate) fn in_text(program: &str, text: &str) -> Option<Self> {
        let cause = if text.contains(&format!("executable '{program}' not found in $PATH")) {
            Cause::NotFound
        } else if text.contains(&format!("executable '{program}' at path"))
            && text.contains("does not have correct permissions")
        {
            Cause::NotExecutable
        } else {
            return None;
        };
        Some(Self { program: program.to_owned(), cause })
    }

    /// Why a program could not be run without libcontainer, if the program is what is wrong.
    #[must_use]
    pub fn of_io(program: &str, error: &io::Error) -> Option<Self> {
        let cause = match error.kind() {
            io::ErrorKind::NotFound => Cause::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => Cause::NotExecutable,
            _ => return None,
        };
        Some(Self { program: program.to_owned(), cause })
    }

    /// The exit code of a command that ended with such an error, from the error's text: that is how it leaves a shim.
    #[must_use]
    pub fn exit_code_in(message: &str) -> Option<i32> {
        let cause = message.strip_prefix(BEGINNING)?;
        if cause.ends_with(NOT_IN_PATH) || cause.ends_with(NO_FILE) {
            return Some(127);
        }
        cause.ends_with(NO_RIGHT).then_some(126)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_a_program_that_cannot_run_is_told_so_by_its_name() {
        let missing = "failed to create container: exec process failed with error error in executing process : \
                       executable 'nope' not found in $PATH";
        let check = |program: &str, text: &str, told: &str, code: i32| {
            let error = ProgramError::in_text(program, text).expect("a known text").to_string();
            assert_eq!((error.as_str(), ProgramError::exit_code_in(&error)), (told, Some(code)));
        };
        let told =
            "unable to start container process: exec: \"nope\": executable file not found in $PATH";
        check("nope", missing, told, 127);
        let told = "unable to start container process: exec: \"/nope\": stat /nope: no such file or directory";
        check("/nope", &missing.replace("nope", "/nope"), told, 127);
        let barred = "executable '/etc' at path '\"/etc\"' does not have correct permissions";
        let told = "unable to start container process: exec: \"/etc\": permission denied";
        check("/etc", barred, told, 126);
        assert_eq!(ProgramError::in_text("ls", missing), None);
        assert_eq!(
            ProgramError::exit_code_in("cannot exec in container x: permission denied"),
            None
        );
    }

    #[test]
    fn without_libcontainer_the_words_are_the_same() {
        let told = |kind: io::ErrorKind| {
            ProgramError::of_io("nope", &kind.into()).map(|it| it.to_string())
        };
        let missing = told(io::ErrorKind::NotFound).expect("the program is wrong");
        assert_eq!(ProgramError::exit_code_in(&missing), Some(127));
        let barred = told(io::ErrorKind::PermissionDenied).expect("the program is wrong");
        assert_eq!(ProgramError::exit_code_in(&barred), Some(126));
        assert_eq!(told(io::ErrorKind::OutOfMemory), None);
    }
}
