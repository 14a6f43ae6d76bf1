//! `starling image`: which images this machine's pods can run.
//!
//! Way in: [`run`].  The store is safe to use beside a running cluster.

use nodes_oci::{Image, ImageStore, Reference};
use serde_json::{Value, json};

use crate::{Arguments, Caller, Failure, Output, arguments::ImageVerb, table, up::known};

pub(crate) fn run(
    arguments: &Arguments,
    verb: &ImageVerb,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = known(arguments, caller)?;
    let store =
        ImageStore::open(&record.data_dir.join("images")).map_err(|error| Failure::of(&error))?;
    match verb {
        ImageVerb::Import { path, tag } => {
            let tag = tag.as_deref().map(Reference::parse).transpose();
            let tag = tag.map_err(|error| Failure::usage(error.to_string()))?;
            let images = store.import(path, tag.as_ref()).map_err(|error| Failure::of(&error))?;
            let names: Vec<&str> =
                images.iter().flat_map(|image| &image.references).map(String::as_str).collect();
            output.answer(&format!("imported {}", names.join(", ")), &list(&images))
        }
        ImageVerb::List => {
            let images = store.list().map_err(|error| Failure::of(&error))?;
            output.answer(
                &table::render(&["REFERENCE", "IMAGE ID", "SIZE"], &rows(&images)),
                &list(&images),
            )
        }
        ImageVerb::Remove { reference } => {
            let removed = store.remove(reference).map_err(|error| {
                let next = format!("starling image list --name {}", record.name);
                Failure::of(&error).next(next).code(4)
            })?;
            output.answer(&format!("removed {}", removed.join(", ")), &json!({"removed": removed}))
        }
    }
}

fn rows(images: &[Image]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for image in images {
        let id: String = image.id.hex().chars().take(12).collect();
        for reference in &image.references {
            rows.push(vec![
                reference.clone(),
                id.clone(),
                format!("{} KiB", image.size_bytes.div_ceil(1_024)),
            ]);
        }
    }
    rows
}

fn list(images: &[Image]) -> Value {
    let one = |image: &Image| {
        json!({
            "references": image.references,
            "digest": image.digest.as_str(),
            "id": image.id.as_str(),
            "sizeBytes": image.size_bytes,
        })
    };
    json!({"images": images.iter().map(one).collect::<Vec<_>>()})
}
