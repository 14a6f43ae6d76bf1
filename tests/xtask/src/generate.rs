//! Condenses upstream's published descriptions of the API into the committed fact table of `actors-kinds`.
//!
//! Way in: [`run`].  Reads: the OpenAPI v2 document and the list of protobuf field numbers, from a folder that
//! holds both.  Writes: `actors/actors-kinds/tables/facts.txt`, sorted, so that a change shows as a small diff.
//! Never: descriptions, or anything else of upstream's text; only names, types and numbers.

mod resources;
#[cfg(test)]
mod tests;
mod types;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Where the table lies in the checkout.
const TABLE: &str = "actors/actors-kinds/tables/facts.txt";
/// The two inputs, by file name.
const SWAGGER: &str = "swagger-v1.35.json";
const PROTO: &str = "proto-fields-v1.35.json";
/// The largest table that may be committed, in bytes.
const TABLE_LEN_MAX: usize = 600_000;

/// The arguments of `cargo xtask generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with the two descriptions; without it, a folder `kubernetes` beside the checkout is searched.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

/// Writes the fact table anew.
///
/// # Errors
/// If the inputs cannot be found or read, or describe something that the table's format cannot hold.
pub(crate) fn run(args: &Args) -> Result<String> {
    let root = checkout();
    let from = match &args.from {
        Some(dir) => dir.clone(),
        None => find_inputs(&root).context(
            "the descriptions of the API are not beside this checkout: name their folder with --from DIR",
        )?,
    };
    let table = table_from(&from)?;
    let path = root.join(TABLE);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let verdict = if before == table { "unchanged" } else { "written" };
    fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!("{TABLE}: {} lines, {} bytes, {verdict}", table.lines().count(), table.len()))
}

/// The table that the inputs in `dir` give.
fn table_from(dir: &Path) -> Result<String> {
    let swagger = read_json(&dir.join(SWAGGER))?;
    let proto = read_json(&dir.join(PROTO))?;
    let mut table = String::from(
        "# Facts of the Kubernetes v1.35 API. Made by `cargo xtask generate`; do not edit.\n\
         # package SHORT OPENAPI-PREFIX PROTOBUF-PACKAGE\n\
         # type NAME [GROUP/VERSION/KIND] [atomic]\n\
         #  FIELD TYPE PROTOBUF-NUMBER [required] [distinct|shown] [list=KIND] [keys=A,B] [patch=STRATEGY] [merge=KEY] [atomic]\n\
         # resource GROUP VERSION PLURAL KIND TYPE SCOPE VERBS\n\
         #  SUBRESOURCE GROUP/VERSION/KIND TYPE VERBS\n",
    );
    types::write(&swagger, &proto, &mut table)?;
    resources::write(&swagger, &mut table)?;
    ensure!(table.len() <= TABLE_LEN_MAX, "the table has {} bytes", table.len());
    Ok(table)
}

fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}

/// The root of this checkout.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// A folder `*/kubernetes` beside the checkout that holds both inputs.
fn find_inputs(root: &Path) -> Option<PathBuf> {
    let mut siblings: Vec<PathBuf> =
        fs::read_dir(root.parent()?).ok()?.flatten().map(|entry| entry.path()).collect();
    siblings.sort();
    siblings
        .into_iter()
        .map(|dir| dir.join("kubernetes"))
        .find(|dir| dir.join(SWAGGER).is_file() && dir.join(PROTO).is_file())
}

/// Whether a version is served without being asked for: since 1.24, new beta versions are not.
fn is_default_served(version: &str) -> bool {
    !version.contains("alpha") && !version.contains("beta")
}

/// The table's short form of a definition's name: `io.k8s.api.apps.v1.Deployment` is `apps.v1.Deployment`.
fn short_name(definition: &str) -> String {
    let prefixes = [
        ("io.k8s.apimachinery.pkg.apis.", ""),
        ("io.k8s.apimachinery.pkg.", "machinery."),
        ("io.k8s.apiextensions-apiserver.pkg.apis.", ""),
        ("io.k8s.kube-aggregator.pkg.apis.", ""),
        ("io.k8s.api.", ""),
    ];
    for (prefix, short) in prefixes {
        if let Some(rest) = definition.strip_prefix(prefix) {
            return format!("{short}{rest}");
        }
    }
    definition.to_owned()
}
