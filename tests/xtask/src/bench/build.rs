//! `bench build`: from an edit to the result of the tests that it concerns, for five typical edits.
//!
//! Way in: [`measure`].  Each edit appends a comment, which is taken away again.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{Row, uptime};

/// What is edited, and whose tests run then.
const EDITS: [(&str, &str); 5] = [
    ("actors/actors-controllers/src/lib.rs", "actors-controllers"),
    ("actors/actors-kinds/src/lib.rs", "actors-kinds"),
    ("store/store-mvcc/src/lib.rs", "store-mvcc"),
    ("nodes/nodes-door/src/lib.rs", "nodes-door"),
    ("nodes/nodes-pods/src/lib.rs", "nodes-pods"),
];

pub(crate) fn measure() -> Result<Vec<Row>> {
    EDITS.iter().map(|(file, package)| edit(file, package)).collect()
}

fn edit(file: &str, package: &str) -> Result<Row> {
    test(package)?;
    let undo = Undo {
        path: PathBuf::from(file),
        text: fs::read_to_string(file).with_context(|| file.to_owned())?,
    };
    fs::write(&undo.path, format!("{}// An edit.\n", undo.text))?;
    let seconds = test(package)?;
    Ok(Row::alone(format!("edit {file}, test {package}"), "s", vec![seconds], 15.0, None))
}

fn test(package: &str) -> Result<f64> {
    let before = uptime()?;
    let run = Command::new("cargo").args(["test", "--quiet", "--package", package]).output()?;
    if !run.status.success() {
        bail!("tests of {package} fail: {}", String::from_utf8_lossy(&run.stdout));
    }
    Ok(uptime()? - before)
}

/// Puts the file back, whatever happens.
struct Undo {
    path: PathBuf,
    text: String,
}

impl Drop for Undo {
    fn drop(&mut self) {
        // The edit is only a comment: what stays of it is seen by git.
        let _kept = fs::write(&self.path, &self.text);
    }
}
