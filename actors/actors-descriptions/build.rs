//! Gathers the descriptions of Kubernetes' types out of the source of the crate `k8s-openapi`, compressed.
//!
//! That crate is not compiled, which would take minutes: its generated source says the descriptions in lines of fixed
//! forms. Cargo fetches it and says where it lies; it belongs to the lock file like every other crate.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::DeflateEncoder};

/// The version of the API that is served.
const VERSION: &str = "v1_35";

/// Fewer are a sign that the source has another form.
const LINES_MIN: usize = 3_000;

fn main() -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "cargo::rerun-if-changed=build.rs")?;
    writeln!(io::stdout(), "cargo::rerun-if-changed=Cargo.toml")?;
    let source = source_of("k8s-openapi")?.join("src").join(VERSION);
    let mut lines = Vec::new();
    gather(&source, &mut lines)?;
    lines.sort();
    if lines.len() < LINES_MIN {
        return Err(format!("only {} descriptions in {}", lines.len(), source.display()).into());
    }
    let out = PathBuf::from(variable("OUT_DIR")?).join("descriptions.deflate");
    let mut file = DeflateEncoder::new(File::create(out)?, Compression::best());
    file.write_all(lines.join("\n").as_bytes())?;
    file.finish()?;
    Ok(())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}

/// Where the source of a locked crate lies; cargo fetches it if it must.
fn source_of(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("Cargo.toml");
    let ran = Command::new(variable("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
        .arg(variable("TARGET")?)
        .arg("--manifest-path")
        .arg(manifest)
        .env("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}starling_descriptions")
        .output()?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into_owned().into());
    }
    let told = String::from_utf8(ran.stdout)?;
    let is_manifest = |text: &&str| {
        let folder = text.strip_suffix("/Cargo.toml").and_then(|path| path.rsplit('/').next());
        let version = folder.and_then(|folder| folder.strip_prefix(name)?.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    };
    let found = told.split('"').find(is_manifest).and_then(|path| Path::new(path).parent());
    Ok(found.ok_or_else(|| format!("cargo knows no {name}"))?.to_path_buf())
}

/// Adds `TYPE<tab>FIELD<tab>DESCRIPTION` of all files below a folder; a type's own has no field.
fn gather(folder: &Path, lines: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, lines)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            read(&fs::read_to_string(&path)?, lines);
        }
    }
    Ok(())
}

/// Reads what a file says to the generator of JSON schemas.
fn read(source: &str, lines: &mut Vec<String>) {
    let (mut name, mut field) = (None, String::new());
    for line in source.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        let named = between(text, "\"io.k8s.", "\".into()").filter(|_| depth == 8);
        if let Some(found) = named {
            name = Some(format!("io.k8s.{found}"));
            field.clear();
        }
        let Some(name) = &name else { continue };
        let own = between(text, "\"description\": \"", "\",");
        let inserted = between(
            text,
            "schema_obj.ensure_object().insert(\"description\".into(), \"",
            "\".into());",
        );
        match (depth, own.or(inserted)) {
            (12, Some(said)) => lines.push(format!("{name}\t\t{}", plain(said))),
            (20, Some(said)) => lines.push(format!("{name}\t{field}\t{}", plain(said))),
            (16, _) => {
                if let Some((found, _)) = text.strip_prefix('"').and_then(|it| it.split_once('"')) {
                    found.clone_into(&mut field);
                }
            }
            _ => {}
        }
    }
}

fn between<'a>(text: &'a str, head: &str, tail: &str) -> Option<&'a str> {
    text.strip_prefix(head)?.strip_suffix(tail)
}

/// A line holds what the literal holds, but for line ends, tabs and backslashes, which stay escaped.
fn plain(literal: &str) -> String {
    literal.replace("\\\"", "\"")
}
