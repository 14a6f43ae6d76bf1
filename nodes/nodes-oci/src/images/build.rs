//! Builds a small image of one layer from files: for demonstrations and tests, without a builder or a registry.
//!
//! Way in: [`ImageBuilder`].  The same files give the same bytes: times are zero and the order is by name.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{
    Digest, ImageConfig, Reference,
    manifest::{
        CONFIG_TYPE, ConfigDocument, Descriptor, Index, LAYER_TYPE, MANIFEST_TYPE, Manifest,
        RootFs, SavedImage, architecture,
    },
};
use crate::{FileError, at};

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The archive could not be assembled.
    #[error("the image archive cannot be assembled")]
    Archive(#[source] io::Error),
}

/// Collects the content of an image and writes it as a tar archive that is an OCI layout and can be read by
/// `docker load` as well.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    reference: Reference,
    config: ImageConfig,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Directory(u32),
    Copy(PathBuf, u32),
    Bytes(Vec<u8>, u32),
    Link(String),
}

impl ImageBuilder {
    /// An empty image of this name with this configuration.
    #[must_use]
    pub fn new(reference: Reference, config: ImageConfig) -> Self {
        Self { reference, config, entries: BTreeMap::new() }
    }

    /// Adds an empty directory; parents are added by themselves.
    #[must_use]
    pub fn directory(mut self, path: &str, mode: u32) -> Self {
        self.add(path, Entry::Directory(mode));
        self
    }

    /// Adds a copy of a file of this machine.
    #[must_use]
    pub fn copy(mut self, from: &Path, path: &str, mode: u32) -> Self {
        self.add(path, Entry::Copy(from.to_path_buf(), mode));
        self
    }

    /// Adds a file with this content.
    #[must_use]
    pub fn file(mut self, path: &str, content: &[u8], mode: u32) -> Self {
        self.add(path, Entry::Bytes(content.to_vec(), mode));
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.add(path, Entry::Link(target.to_owned()));
        self
    }

    /// Adds a whole directory of this machine under `path`: directories, files and symbolic links.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn tree(mut self, from: &Path, path: &str) -> Result<Self, BuildError> {
        self.scan(from, path)?;
        Ok(self)
    }

    fn scan(&mut self, from: &Path, path: &str) -> Result<(), FileError> {
        for entry in fs::read_dir(from).map_err(at("list", from))? {
            let entry = entry.map_err(at("list", from))?;
            let name = format!("{path}/{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata().map_err(at("inspect", &entry.path()))?;
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_dir() {
                self.add(&name, Entry::Directory(mode));
                self.scan(&entry.path(), &name)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(at("read", &entry.path()))?;
                self.add(&name, Entry::Link(target.to_string_lossy().into_owned()));
            } else if metadata.is_file() {
                self.add(&name, Entry::Copy(entry.path(), mode));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, entry: Entry) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            if let Some(parent) = path.get(..end) {
                self.entries.entry(parent.to_owned()).or_insert(Entry::Directory(0o755));
            }
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// If a file that was added cannot be read, or the archive cannot be written.
    pub fn write(&self, archive: &Path) -> Result<(), BuildError> {
        let layer_path = archive.with_extension("layer.partial");
        self.write_layer(&layer_path)?;
        let written = self.write_archive(&layer_path, archive);
        fs::remove_file(&layer_path).map_err(at("remove", &layer_path))?;
        written
    }

    fn write_layer(&self, path: &Path) -> Result<(), BuildError> {
        let file = File::create(path).map_err(at("create", path))?;
        let mut tar = tar::Builder::new(io::BufWriter::new(file));
        for (name, entry) in &self.entries {
            append(&mut tar, name, entry)?;
        }
        let mut writer = tar.into_inner().map_err(BuildError::Archive)?;
        writer.flush().map_err(BuildError::Archive)
    }

    fn write_archive(&self, layer_path: &Path, archive: &Path) -> Result<(), BuildError> {
        let layer_file = File::open(layer_path).map_err(at("open", layer_path))?;
        let size = layer_file.metadata().map_err(at("inspect", layer_path))?.size();
        let layer = super::digest::HashingReader::new(layer_file)
            .finish()
            .map_err(at("read", layer_path))?;
        let config = json(&ConfigDocument {
            architecture: architecture().to_owned(),
            os: "linux".to_owned(),
            config: Some(self.config.clone()),
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![layer.clone()] },
        })?;
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            config: described(CONFIG_TYPE, &config),
            layers: vec![pointer(LAYER_TYPE, layer.clone(), size)],
        })?;
        let mut entry = described(MANIFEST_TYPE, &manifest);
        let name = self.reference.to_string();
        entry.annotations.insert("io.containerd.image.name".to_owned(), name.clone());
        let index = json(&Index { schema_version: 2, manifests: vec![entry] })?;
        let saved = json(&vec![SavedImage {
            config: blob_name(&Digest::of(&config)),
            repo_tags: vec![name],
            layers: vec![blob_name(&layer)],
        }])?;
        let file = File::create(archive).map_err(at("create", archive))?;
        let mut tar = tar::Builder::new(io::BufWriter::new(file));
        append_bytes(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
        append_bytes(&mut tar, "index.json", &index, 0o644)?;
        append_bytes(&mut tar, "manifest.json", &saved, 0o644)?;
        append_bytes(&mut tar, &blob_name(&Digest::of(&manifest)), &manifest, 0o644)?;
        append_bytes(&mut tar, &blob_name(&Digest::of(&config)), &config, 0o644)?;
        let copy = Entry::Copy(layer_path.to_path_buf(), 0o644);
        append(&mut tar, &blob_name(&layer), &copy)?;
        let mut writer = tar.into_inner().map_err(BuildError::Archive)?;
        writer.flush().map_err(BuildError::Archive)
    }
}

type Tar = tar::Builder<io::BufWriter<File>>;

fn append(tar: &mut Tar, name: &str, entry: &Entry) -> Result<(), BuildError> {
    match entry {
        Entry::Directory(mode) => {
            let mut header = header(tar::EntryType::Directory, 0, *mode);
            tar.append_data(&mut header, name, io::empty()).map_err(BuildError::Archive)
        }
        Entry::Bytes(content, mode) => append_bytes(tar, name, content, *mode),
        Entry::Copy(from, mode) => {
            let file = File::open(from).map_err(at("open", from))?;
            let size = file.metadata().map_err(at("inspect", from))?.size();
            let mut header = header(tar::EntryType::Regular, size, *mode);
            tar.append_data(&mut header, name, file).map_err(BuildError::Archive)
        }
        Entry::Link(target) => {
            let mut header = header(tar::EntryType::Symlink, 0, 0o777);
            tar.append_link(&mut header, name, target).map_err(BuildError::Archive)
        }
    }
}

fn append_bytes(tar: &mut Tar, name: &str, content: &[u8], mode: u32) -> Result<(), BuildError> {
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let mut header = header(tar::EntryType::Regular, size, mode);
    tar.append_data(&mut header, name, content).map_err(BuildError::Archive)
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn json<T: serde::Serialize>(document: &T) -> Result<Vec<u8>, BuildError> {
    serde_json::to_vec(document).map_err(|error| BuildError::Archive(error.into()))
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn described(media_type: &str, bytes: &[u8]) -> Descriptor {
    pointer(media_type, Digest::of(bytes), u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

fn pointer(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    let annotations = BTreeMap::new();
    Descriptor { media_type: media_type.to_owned(), digest, size, platform: None, annotations }
}
