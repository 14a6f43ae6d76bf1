//! The store: references, images by name, removal, and collection of what nothing names any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use super::{
    Digest, ImageConfig, ImportError, Reference, ReferenceError,
    blobs::{Blobs, write_atomic},
    import,
};
use crate::{FileError, at};

/// Images in one directory. Several processes may open it: changes are made under a file lock, and a reader sees
/// whole files only.
#[derive(Debug)]
pub struct ImageStore {
    directory: PathBuf,
    blobs: Blobs,
}

/// One image that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Every reference that names it, in full and in order.
    pub references: Vec<String>,
    /// Digest of its manifest: what `name@sha256:...` names.
    pub digest: Digest,
    /// Digest of its configuration: the image id.
    pub id: Digest,
    /// Bytes of its blobs as stored.
    pub size_bytes: u64,
    /// What to start.
    pub config: ImageConfig,
    /// Its unpacked layers, lowest first; they exist only if the store was filled by root.
    pub layers: Vec<PathBuf>,
}

/// What a collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs removed.
    pub blobs: usize,
    /// Unpacked layers removed.
    pub layers: usize,
    /// Bytes of the blobs removed.
    pub bytes: u64,
}

/// The store itself is in trouble.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `references.json` is damaged.
    #[error("the image references in {} cannot be read", path.display())]
    References {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A stored document is damaged; importing the image again repairs it.
    #[error("a stored image is damaged")]
    Image(#[source] Box<ImportError>),
}

/// Why a reference leads to no image.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The text is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// No image has this name; says which do.
    #[error("image {reference} is not present; present: {}", shown(present))]
    NotPresent {
        /// What was asked for, in full.
        reference: String,
        /// All references of the store.
        present: Vec<String>,
    },
    /// The store is in trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type References = BTreeMap<String, Digest>;

/// As many references as an error message shows.
const SHOWN_MAX: usize = 20;

impl ImageStore {
    /// Opens the store in this directory, which is made if need be; unfinished work of an earlier process goes.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let layers = directory.join("layers");
        fs::create_dir_all(&layers).map_err(at("create", &layers))?;
        let blobs = Blobs::open(directory.join("blobs/sha256"))?;
        Ok(Self { directory: directory.to_path_buf(), blobs })
    }

    /// Imports an OCI layout (a directory or a tar archive of one) or a `docker save` archive; both may be gzip.
    /// Every digest is verified. With `name`, the image gets this name instead of those in the archive.
    ///
    /// # Errors
    /// See [`ImportError`]; a failed import leaves no reference, and what it stored is collected later.
    pub fn import(&self, path: &Path, name: Option<&Reference>) -> Result<Vec<Image>, ImportError> {
        let _lock = self.lock()?;
        let named = import::import(self, path, name)?;
        let mut references = self.references().map_err(|error| match error {
            StoreError::File(error) => ImportError::File(error),
            StoreError::References { source, .. } => {
                ImportError::Document { document: "references.json".to_owned(), source }
            }
            StoreError::Image(error) => *error,
        })?;
        let digests: BTreeSet<Digest> = named.iter().map(|(_, digest)| digest.clone()).collect();
        for (reference, digest) in named {
            references.insert(reference.to_string(), digest);
        }
        self.save(&references)?;
        digests.iter().map(|digest| self.image(digest, &references)).collect()
    }

    /// All images, by digest.
    ///
    /// # Errors
    /// If the store is damaged.
    pub fn list(&self) -> Result<Vec<Image>, StoreError> {
        let references = self.references()?;
        let digests: BTreeSet<&Digest> = references.values().collect();
        digests.into_iter().map(|digest| self.load(digest, &references)).collect()
    }

    /// Finds an image by reference (completed the Kubernetes way), by digest, or by image id.
    ///
    /// # Errors
    /// [`ResolveError::NotPresent`] names the references that are present.
    pub fn resolve(&self, text: &str) -> Result<Image, ResolveError> {
        let references = self.references()?;
        if let Ok(id) = Digest::parse(text) {
            let found = self.list()?.into_iter().find(|image| image.id == id || image.digest == id);
            return found.ok_or_else(|| not_present(text, &references));
        }
        let reference = Reference::parse(text)?;
        let digest = match reference.digest() {
            // A digest names the content whatever the tag says, but only within its repository.
            Some(digest) => references
                .iter()
                .find(|(name, known)| *known == digest && is_of(name, reference.repository()))
                .map(|(_, known)| known),
            None => references.get(&reference.to_string()),
        };
        match digest {
            Some(digest) => Ok(self.load(digest, &references)?),
            None => Err(not_present(&reference.to_string(), &references)),
        }
    }

    /// Takes a reference away, or with an image id or digest all references of that image; returns them. Blobs and
    /// layers stay until [`ImageStore::collect_garbage`].
    ///
    /// # Errors
    /// As [`ImageStore::resolve`].
    pub fn remove(&self, text: &str) -> Result<Vec<String>, ResolveError> {
        let _lock = self.lock().map_err(StoreError::from)?;
        let image = self.resolve(text)?;
        let mut references = self.references()?;
        let removed = if Digest::parse(text).is_ok() {
            image.references
        } else {
            let reference = Reference::parse(text)?;
            let is_meant = |name: &String| match reference.digest() {
                Some(_) => is_of(name, reference.repository()),
                None => *name == reference.to_string(),
            };
            image.references.into_iter().filter(is_meant).collect()
        };
        for name in &removed {
            references.remove(name);
        }
        self.save(&references).map_err(StoreError::from)?;
        Ok(removed)
    }

    /// Removes blobs and layers that no reference leads to. Layers in `in_use` (those of existing containers, whose
    /// image may have been removed) stay.
    ///
    /// # Errors
    /// If the store is damaged: then nothing is removed that an undamaged reference needs.
    pub fn collect_garbage(&self, in_use: &BTreeSet<PathBuf>) -> Result<Collected, StoreError> {
        let _lock = self.lock()?;
        let mut kept_blobs = BTreeSet::new();
        let mut kept_layers = in_use.clone();
        for image in self.list()? {
            let manifest = import::stored_manifest(self, &image.digest).map_err(damaged)?;
            kept_blobs.extend([image.digest, image.id]);
            kept_blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
            kept_layers.extend(image.layers);
        }
        let mut collected = Collected::default();
        for (digest, size) in self.blobs.list()? {
            if !kept_blobs.contains(&digest) {
                let path = self.blobs.path(&digest);
                fs::remove_file(&path).map_err(at("remove", &path))?;
                collected.blobs += 1;
                collected.bytes += size;
            }
        }
        let layers = self.directory.join("layers");
        for entry in fs::read_dir(&layers).map_err(at("list", &layers))? {
            let path = entry.map_err(at("list", &layers))?.path();
            if !kept_layers.contains(&path) {
                fs::remove_dir_all(&path).map_err(at("remove", &path))?;
                collected.layers += 1;
            }
        }
        Ok(collected)
    }

    pub(super) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Where each layer lies unpacked: named by its chain id, which covers the layers below it too.
    pub(super) fn layer_paths(&self, diff_ids: &[Digest]) -> Vec<PathBuf> {
        let mut chain: Option<Digest> = None;
        let mut paths = Vec::new();
        for diff_id in diff_ids {
            let id = match &chain {
                None => diff_id.clone(),
                Some(parent) => Digest::of(format!("{parent} {diff_id}").as_bytes()),
            };
            // Half of the digits: many layers' names must fit overlayfs's one page of options.
            let name: String = id.hex().chars().take(32).collect();
            paths.push(self.directory.join("layers").join(name));
            chain = Some(id);
        }
        paths
    }

    /// An empty directory for one import; the lock must be held.
    pub(super) fn staging(&self) -> Result<Staging, FileError> {
        let path = self.directory.join("staging");
        if path.exists() {
            fs::remove_dir_all(&path).map_err(at("remove", &path))?;
        }
        fs::create_dir_all(&path).map_err(at("create", &path))?;
        Ok(Staging(path))
    }

    fn lock(&self) -> Result<Flock<File>, FileError> {
        let path = self.directory.join("lock");
        let file = File::create(&path).map_err(at("create", &path))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| at("lock", &path)(std::io::Error::from(errno)))
    }

    fn references(&self) -> Result<References, StoreError> {
        let path = self.directory.join("references.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| StoreError::References { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(References::new()),
            Err(error) => Err(at("read", &path)(error).into()),
        }
    }

    fn save(&self, references: &References) -> Result<(), FileError> {
        let path = self.directory.join("references.json");
        let bytes = serde_json::to_vec_pretty(references)
            .map_err(|error| at("write", &path)(std::io::Error::from(error)))?;
        write_atomic(&path, &bytes)
    }

    fn load(&self, digest: &Digest, references: &References) -> Result<Image, StoreError> {
        self.image(digest, references).map_err(damaged)
    }

    fn image(&self, digest: &Digest, references: &References) -> Result<Image, ImportError> {
        let manifest = import::stored_manifest(self, digest)?;
        let document = import::stored_config(self, &manifest)?;
        let parts = manifest.layers.iter().chain([&manifest.config]).map(|part| &part.digest);
        let lengths = parts.chain([digest]).map(|part| fs::metadata(self.blobs.path(part)));
        let size_bytes = lengths.map(|found| found.map_or(0, |metadata| metadata.len())).sum();
        let names = references.iter().filter(|(_, known)| *known == digest);
        Ok(Image {
            references: names.map(|(name, _)| name.clone()).collect(),
            digest: digest.clone(),
            id: manifest.config.digest.clone(),
            size_bytes,
            config: document.config.unwrap_or_default(),
            layers: self.layer_paths(&document.rootfs.diff_ids),
        })
    }
}

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub(super) struct Staging(PathBuf);

impl Staging {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed before the next import.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn damaged(error: ImportError) -> StoreError {
    match error {
        ImportError::File(error) => StoreError::File(error),
        other => StoreError::Image(Box::new(other)),
    }
}

fn is_of(name: &str, repository: &str) -> bool {
    Reference::parse(name).is_ok_and(|known| known.repository() == repository)
}

fn not_present(reference: &str, references: &References) -> ResolveError {
    let present = references.keys().cloned().collect();
    ResolveError::NotPresent { reference: reference.to_owned(), present }
}

fn shown(present: &[String]) -> String {
    if present.is_empty() {
        return "none".to_owned();
    }
    let mut text = present.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    if present.len() > SHOWN_MAX {
        text.push_str(&format!(" and {} more", present.len() - SHOWN_MAX));
    }
    text
}
