//! Importing: reads an OCI layout or a `docker save` archive, verifies it, keeps blobs, layers and references.
//!
//! Way in: [`import`].  Invariants: nothing is referenced before its blobs and layers are complete.

use std::path::Path;

use super::{
    Digest, Reference, ReferenceError,
    manifest::{
        CONFIG_TYPE, ConfigDocument, DOCUMENT_LEN_MAX, Descriptor, Index, LAYER_TYPE, LAYERS_MAX,
        MANIFEST_TYPE, Manifest, SavedImage, architecture,
    },
    source::Source,
    store::ImageStore,
    unpack,
};
use crate::{FileError, at};

/// Why an image could not be imported. Nothing of it is referenced then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be read or written; the source says why.
    #[error(transparent)]
    File(#[from] FileError),
    /// The archive or directory is neither an OCI layout nor a `docker save` archive.
    #[error(
        "{0} holds neither an OCI image layout (index.json) nor a `docker save` archive (manifest.json)"
    )]
    Unknown(String),
    /// A document inside is not what it should be.
    #[error("the image's {document} cannot be read")]
    Document {
        /// Which document.
        document: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file that a document names is missing.
    #[error("the image names {0}, which is not in the archive")]
    Missing(String),
    /// Content and digest differ: a damaged or forged image.
    #[error("the content of {name} has the digest {found}, not {expected}")]
    Mismatch {
        /// Which content.
        name: String,
        /// What the image says.
        expected: Digest,
        /// What its bytes say.
        found: Digest,
    },
    /// No manifest fits this machine.
    #[error("the image has no manifest for linux/{0}")]
    Platform(&'static str),
    /// Layers and diff ids differ in number, or there are too many.
    #[error(
        "the image has {layers} layers and {diff_ids} diff ids; both must be equal and at most {LAYERS_MAX}"
    )]
    Layers {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// A name inside the archive is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The archive has no name for the image and none was given.
    #[error("{0} names no image; give the name to import it under")]
    Unnamed(String),
    /// A layer could not be unpacked.
    #[error("layer {digest} cannot be unpacked")]
    Unpack {
        /// The layer's digest.
        digest: Digest,
        /// Why not.
        #[source]
        source: unpack::UnpackError,
    },
}

/// Annotations that name an image in an OCI layout: containerd's full name first, then the specification's.
const NAME_ANNOTATIONS: [&str; 2] =
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
/// An index inside an index is allowed this often.
const INDEX_DEPTH_MAX: usize = 3;

/// Reads everything that `path` holds into the store; returns the references that now name it.
pub(super) fn import(
    store: &ImageStore,
    path: &Path,
    name: Option<&Reference>,
) -> Result<Vec<(Reference, Digest)>, ImportError> {
    let staging = store.staging()?;
    let source = Source::open(path, staging.path())?;
    let import = Import { store, source, staging: staging.path(), name, path };
    // A recent `docker save` is both; its manifest.json has the tags in full.
    if let Some(saved) = import.source.document("manifest.json")? {
        import.saved(&saved)
    } else if let Some(index) = import.source.document("index.json")? {
        import.layout(&index)
    } else {
        Err(ImportError::Unknown(path.display().to_string()))
    }
}

struct Import<'a> {
    store: &'a ImageStore,
    source: Source,
    staging: &'a Path,
    name: Option<&'a Reference>,
    path: &'a Path,
}

impl Import<'_> {
    fn saved(&self, document: &[u8]) -> Result<Vec<(Reference, Digest)>, ImportError> {
        let images: Vec<SavedImage> = parse("manifest.json", document)?;
        let mut named = Vec::new();
        for image in images {
            let config_bytes = self
                .source
                .document(&image.config)?
                .ok_or_else(|| ImportError::Missing(image.config.clone()))?;
            let config: ConfigDocument = parse(&image.config, &config_bytes)?;
            check_layers(image.layers.len(), &config)?;
            let mut layers = Vec::new();
            for layer in &image.layers {
                layers.push(self.keep(layer, None, LAYER_TYPE)?);
            }
            let config_digest = self.store.blobs().add_bytes(&config_bytes)?;
            let config_size = u64::try_from(config_bytes.len()).unwrap_or(u64::MAX);
            let manifest = Manifest {
                schema_version: 2,
                media_type: MANIFEST_TYPE.to_owned(),
                config: descriptor(CONFIG_TYPE, config_digest, config_size),
                layers,
            };
            let bytes = serde_json::to_vec(&manifest).map_err(|source| ImportError::Document {
                document: "manifest".to_owned(),
                source,
            })?;
            let digest = self.store.blobs().add_bytes(&bytes)?;
            self.unpack(&manifest, &config)?;
            let tags: Vec<&str> = image.repo_tags.iter().map(String::as_str).collect();
            self.add_names(&tags, &digest, &mut named)?;
        }
        Ok(named)
    }

    fn layout(&self, document: &[u8]) -> Result<Vec<(Reference, Digest)>, ImportError> {
        let index: Index = parse("index.json", document)?;
        let mut named = Vec::new();
        for entry in fitting(&index.manifests)? {
            let tag = NAME_ANNOTATIONS.iter().find_map(|name| entry.annotations.get(*name));
            let digest = self.layout_manifest(entry, 0)?;
            let tags: Vec<&str> = tag.map(String::as_str).into_iter().collect();
            self.add_names(&tags, &digest, &mut named)?;
        }
        Ok(named)
    }

    /// Keeps what a descriptor points at: a manifest, or the fitting part of an index.
    fn layout_manifest(&self, entry: &Descriptor, depth: usize) -> Result<Digest, ImportError> {
        let bytes = self.verified(&entry.digest)?;
        let value: serde_json::Value = parse(entry.digest.as_str(), &bytes)?;
        if value.get("manifests").is_some() && depth < INDEX_DEPTH_MAX {
            let index: Index = parse(entry.digest.as_str(), &bytes)?;
            let inner = fitting(&index.manifests)?;
            let first = inner.first().ok_or(ImportError::Platform(architecture()))?;
            return self.layout_manifest(first, depth + 1);
        }
        let manifest: Manifest = parse(entry.digest.as_str(), &bytes)?;
        let config_bytes = self.verified(&manifest.config.digest)?;
        let config: ConfigDocument = parse(manifest.config.digest.as_str(), &config_bytes)?;
        if config.architecture != architecture() {
            return Err(ImportError::Platform(architecture()));
        }
        check_layers(manifest.layers.len(), &config)?;
        for layer in &manifest.layers {
            let name = blob_name(&layer.digest);
            self.keep(&name, Some(&layer.digest), &layer.media_type)?;
        }
        self.store.blobs().add_bytes(&config_bytes)?;
        let digest = self.store.blobs().add_bytes(&bytes)?;
        self.unpack(&manifest, &config)?;
        Ok(digest)
    }

    /// Reads a document by its digest and checks it.
    fn verified(&self, digest: &Digest) -> Result<Vec<u8>, ImportError> {
        let name = blob_name(digest);
        let bytes =
            self.source.document(&name)?.ok_or_else(|| ImportError::Missing(name.clone()))?;
        let found = Digest::of(&bytes);
        if found == *digest {
            Ok(bytes)
        } else {
            Err(ImportError::Mismatch { name, expected: digest.clone(), found })
        }
    }

    /// Copies one file of the source into the blobs and checks it against the digest that the image claims.
    fn keep(
        &self,
        name: &str,
        expected: Option<&Digest>,
        media_type: &str,
    ) -> Result<Descriptor, ImportError> {
        if let Some(expected) = expected.filter(|digest| self.store.blobs().has(digest)) {
            return Ok(descriptor(media_type, expected.clone(), 0));
        }
        let path = self.source.path(name).ok_or_else(|| ImportError::Missing(name.to_owned()))?;
        let file = std::fs::File::open(path).map_err(at("open", path))?;
        let (found, size) = self.store.blobs().add(file, self.staging)?;
        match expected {
            Some(expected) if *expected != found => Err(ImportError::Mismatch {
                name: name.to_owned(),
                expected: expected.clone(),
                found,
            }),
            _ => Ok(descriptor(media_type, found, size)),
        }
    }

    /// Unpacks the layers that are not there yet. Without root there is no overlayfs to use them, so none are.
    fn unpack(&self, manifest: &Manifest, config: &ConfigDocument) -> Result<(), ImportError> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids);
        for ((layer, diff_id), target) in
            layers.zip(self.store.layer_paths(&config.rootfs.diff_ids))
        {
            if target.is_dir() {
                continue;
            }
            let failed = |source| ImportError::Unpack { digest: layer.digest.clone(), source };
            let partial = self.staging.join("layer");
            let blob = self.store.blobs().path(&layer.digest);
            let found = unpack::unpack(&blob, &partial).map_err(failed)?;
            if found != *diff_id {
                return Err(ImportError::Mismatch {
                    name: format!("unpacked layer {}", layer.digest),
                    expected: diff_id.clone(),
                    found,
                });
            }
            std::fs::rename(&partial, &target).map_err(at("rename", &target))?;
        }
        Ok(())
    }

    fn add_names(
        &self,
        tags: &[&str],
        digest: &Digest,
        named: &mut Vec<(Reference, Digest)>,
    ) -> Result<(), ImportError> {
        if let Some(name) = self.name {
            named.push((name.clone(), digest.clone()));
            return Ok(());
        }
        if tags.is_empty() {
            return Err(ImportError::Unnamed(self.path.display().to_string()));
        }
        for tag in tags {
            named.push((Reference::parse(tag)?, digest.clone()));
        }
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(bytes)
        .map_err(|source| ImportError::Document { document: name.to_owned(), source })
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    let annotations = std::collections::BTreeMap::new();
    Descriptor { media_type: media_type.to_owned(), digest, size, platform: None, annotations }
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The entries that this machine can run: those that say so, and those that do not say. Attestations, which
/// builders store as manifests for an unknown platform, are neither.
fn fitting(entries: &[Descriptor]) -> Result<Vec<&Descriptor>, ImportError> {
    let fits = |entry: &&Descriptor| {
        entry.media_type.is_empty()
            || entry.media_type.contains("manifest")
            || entry.media_type.contains("index")
    };
    let found: Vec<&Descriptor> = entries
        .iter()
        .filter(fits)
        .filter(|entry| {
            entry.platform.as_ref().is_none_or(|platform| {
                platform.os == "linux" && platform.architecture == architecture()
            })
        })
        .collect();
    if found.is_empty() { Err(ImportError::Platform(architecture())) } else { Ok(found) }
}

fn check_layers(layers: usize, config: &ConfigDocument) -> Result<(), ImportError> {
    let diff_ids = config.rootfs.diff_ids.len();
    if layers == diff_ids && layers <= LAYERS_MAX {
        Ok(())
    } else {
        Err(ImportError::Layers { layers, diff_ids })
    }
}

/// Reads the configuration document of a stored image.
pub(super) fn stored_config(
    store: &ImageStore,
    manifest: &Manifest,
) -> Result<ConfigDocument, ImportError> {
    let bytes = store.blobs().read(&manifest.config.digest, DOCUMENT_LEN_MAX)?;
    parse(manifest.config.digest.as_str(), &bytes)
}

/// Reads a stored manifest.
pub(super) fn stored_manifest(
    store: &ImageStore,
    digest: &Digest,
) -> Result<Manifest, ImportError> {
    let bytes = store.blobs().read(digest, DOCUMENT_LEN_MAX)?;
    parse(digest.as_str(), &bytes)
}
