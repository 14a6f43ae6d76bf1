//! `mutate`: breaks the actors in a copy, one line at a time, and expects the test that holds the line to fail.
//!
//! Way in: [`run`].  Owns: a copy of the two crates below the target folder.  Never: a change of the checkout.
//! Spec: `actors/SEMANTICS.md`, of which each mutation breaks one line.

mod list;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args as Arguments;

use self::list::{MUTATIONS, Mutation, TestOf};

/// How long one test may take, in seconds; one that hangs does not pass.
const WITHIN: &str = "120";

/// What `timeout` says of a program that it had to end.
const HUNG: i32 = 124;

/// The crates that are broken, and the name that `SEMANTICS.md` has for each.
const ROOMS: [&str; 2] = ["core", "runtime"];

/// Which mutations are tried.
#[derive(Debug, Arguments)]
pub(crate) struct Args {
    /// Only those whose test has this in its name.
    #[arg(default_value = "")]
    only: String,
}

/// Tries the mutations, one after the other.
pub(crate) fn run(args: &Args) -> Result<String> {
    let chosen: Vec<_> =
        MUTATIONS.iter().filter(|one| one.test.name.contains(&args.only)).collect();
    ensure!(!chosen.is_empty(), "no mutation has a test of that name");
    let copy = Copy::make(&env::current_dir()?)?;
    for one in &chosen {
        let passes = copy.test(&one.test)?.success();
        ensure!(passes, "{}: it fails without a mutation too", one.test.name);
    }
    let (mut report, mut survived) = (String::new(), 0);
    for one in chosen {
        let outcome = copy.try_out(one)?;
        survived += u32::from(outcome == Outcome::Survived);
        report.push_str(&format!("{outcome:?}: {}\n    {}\n", one.breaks, one.test.name));
    }
    match survived {
        0 => Ok(format!("{report}every mutation was found")),
        count => bail!("{report}{count} were not found"),
    }
}

/// What came of a mutation.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Its test fails.
    Found,
    /// Its test does not end.
    Hangs,
    /// Its test passes: nothing holds that line.
    Survived,
}

/// A workspace of the two crates alone.
struct Copy {
    folder: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(checkout: &Path) -> Result<Self> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout.join("target"), PathBuf::from);
        let folder = target.join("mutated/checkout");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        for room in ROOMS.map(room) {
            copy(&checkout.join(&room), &folder.join(&room))?;
        }
        let manifest = fs::read_to_string(checkout.join("Cargo.toml"))?;
        let members = manifest.lines().find(|line| line.starts_with("members = "));
        let members = members.context("Cargo.toml: no line with the members")?;
        let ours = format!("members = {:?}", ROOMS.map(room));
        fs::write(folder.join("Cargo.toml"), manifest.replace(members, &ours))?;
        fs::copy(checkout.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        fs::copy(checkout.join("rust-toolchain.toml"), folder.join("rust-toolchain.toml"))?;
        Ok(Self { folder, target: target.join("mutated/target") })
    }

    fn try_out(&self, mutation: &Mutation) -> Result<Outcome> {
        let file = self.folder.join(mutation.file);
        let whole = fs::read_to_string(&file)?;
        fs::write(&file, mutation.applied(&whole)?)?;
        let built = self.cargo(&mutation.test, &["--no-run"])?.success();
        let ran = self.test(&mutation.test);
        fs::write(&file, whole)?;
        ensure!(built, "{}: it does not compile", mutation.breaks);
        Ok(match ran?.code() {
            Some(0) => Outcome::Survived,
            Some(HUNG) => Outcome::Hangs,
            _ => Outcome::Found,
        })
    }

    fn test(&self, test: &TestOf) -> Result<ExitStatus> {
        self.cargo(test, &["--", "--exact", test.name])
    }

    fn cargo(&self, test: &TestOf, more: &[&str]) -> Result<ExitStatus> {
        let package = format!("actors-{}", test.room);
        let place: &[&str] = if test.is_inside { &["--lib"] } else { &["--test", "it"] };
        Command::new("timeout")
            .args(["--kill-after=5", if more[0] == "--no-run" { "1800" } else { WITHIN }])
            .args(["cargo", "test", "--offline", "--quiet", "-p", &package])
            .args(place)
            .args(more)
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("timeout and cargo are needed")
    }
}

impl Mutation {
    /// The text of its file with the mutation in it.
    fn applied(&self, whole: &str) -> Result<String> {
        match whole.matches(self.search).count() {
            1 => Ok(whole.replace(self.search, self.replace)),
            count => bail!("{}: {:?} is there {count} times", self.file, self.search),
        }
    }
}

fn room(name: &str) -> String {
    format!("actors/actors-{name}")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &place)?,
            false => drop(fs::copy(entry.path(), place)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_can_be_applied_and_breaks_a_line_of_the_semantics() -> Result<()> {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let semantics = fs::read_to_string(checkout.join("actors/SEMANTICS.md"))?;
        for one in MUTATIONS {
            let whole = fs::read_to_string(checkout.join(one.file))?;
            assert_ne!(one.applied(&whole)?, whole, "{}", one.breaks);
            let reference = format!("{} `{}`", one.test.room, one.test.name);
            assert!(semantics.contains(&reference), "SEMANTICS.md does not name {reference}");
        }
        Ok(())
    }
}
