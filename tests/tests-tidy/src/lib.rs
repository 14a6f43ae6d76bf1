//! Reads the checkout as the tidy tests see it: crates with their kinds and edges, and tracked source files.
//!
//! Way in: [`Checkout::open`].  Never: a check; the checks are in `tests/it`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// The checkout that this crate was built from.
#[derive(Debug)]
pub struct Checkout {
    /// Its root folder.
    pub root: PathBuf,
    /// Its crates, by name.
    pub crates: Vec<Crate>,
}

/// One crate of the workspace.
#[derive(Debug)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the root: `actors/actors-core`.
    pub folder: String,
    /// `pure`, `io`, `app` or `test`; empty if the manifest does not say.
    pub kind: String,
    /// Names of crates that it needs, but for tests.
    pub needs: BTreeSet<String>,
    /// The text of its manifest.
    pub manifest: String,
}

/// A tracked text file.
#[derive(Debug)]
pub struct Source {
    /// Relative to the root.
    pub path: String,
    /// Its text.
    pub text: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    metadata: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Checkout {
    /// Asks cargo for the crates and their edges.
    ///
    /// # Panics
    /// If cargo or git cannot be asked: a tidy test that cannot see must fail.
    #[must_use]
    pub fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().unwrap_or(root);
        let json = output(
            &root,
            "cargo",
            &["metadata", "--no-deps", "--format-version", "1", "--offline"],
        );
        let metadata: Metadata =
            serde_json::from_str(&json).unwrap_or(Metadata { packages: Vec::new() });
        assert!(!metadata.packages.is_empty(), "cargo metadata lists no crates");
        let crates =
            metadata.packages.into_iter().map(|package| Crate::read(&root, package)).collect();
        Self { root, crates }
    }

    /// All tracked or new files whose name ends in one of `endings`.
    #[must_use]
    pub fn files(&self, endings: &[&str]) -> Vec<Source> {
        let list =
            output(&self.root, "git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
        list.lines()
            .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
            .filter_map(|path| {
                let text = fs::read_to_string(self.root.join(path)).ok()?;
                Some(Source { path: path.to_owned(), text })
            })
            .collect()
    }

    /// The crate of this name, if the workspace has it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|one| one.name == name)
    }
}

impl Crate {
    fn read(root: &Path, package: Package) -> Self {
        let folder = package.manifest_path.parent().unwrap_or(root);
        let kind = package.metadata.as_ref().and_then(|metadata| metadata.pointer("/arch/kind"));
        let needs =
            package.dependencies.into_iter().filter(|need| need.kind.as_deref() != Some("dev"));
        Self {
            name: package.name,
            folder: folder.strip_prefix(root).unwrap_or(folder).display().to_string(),
            kind: kind.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
            needs: needs.map(|need| need.name).collect(),
            manifest: fs::read_to_string(&package.manifest_path).unwrap_or_default(),
        }
    }

    /// The folder of the house that it lies in: `actors`, `store`…
    #[must_use]
    pub fn room(&self) -> &str {
        self.folder.split('/').next().unwrap_or_default()
    }
}

fn output(root: &Path, program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).current_dir(root).output();
    let run = run.unwrap_or_else(|error| unreachable!("cannot run {program}: {error}"));
    assert!(run.status.success(), "{program}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}
