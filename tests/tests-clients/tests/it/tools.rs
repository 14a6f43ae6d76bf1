//! Finds the programs that `make setup` installs.

use std::path::{Path, PathBuf};

/// Programs of other languages.
pub(crate) struct Tools {
    /// Helm.
    pub(crate) helm: PathBuf,
    /// The client-go program of `go/`, built.
    pub(crate) informers: PathBuf,
    /// Where Python's `kubernetes` package is.
    python: PathBuf,
}

/// The sentence that says that the test has not run.
pub(crate) fn missing(what: &Path) -> String {
    format!("NOT RUN: {} is missing; `make test` installs and names it", what.display())
}

impl Tools {
    /// Where `STARLING_TOOLS` says they are, or the first one that is missing.
    pub(crate) fn find() -> Result<Self, PathBuf> {
        let folder = std::env::var_os("STARLING_TOOLS").unwrap_or_else(|| "STARLING_TOOLS".into());
        let there = |name: &str| {
            let path = Path::new(&folder).join(name);
            if path.exists() { Ok(path) } else { Err(path) }
        };
        Ok(Self { helm: there("helm")?, informers: there("informers")?, python: there("python")? })
    }

    /// The program of `python/`, told where its package is.
    pub(crate) fn python_program(&self) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/client.py");
        format!(
            "import sys, runpy; sys.path.insert(0, {:?}); sys.argv[0] = 'client.py'; \
             runpy.run_path({:?}, run_name='__main__')",
            self.python, program
        )
    }
}
