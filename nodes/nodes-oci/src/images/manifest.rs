//! The documents of the OCI image specification, as far as they are read here, and those of `docker save`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;

/// Media types that are written here; what is read is told apart by content.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The largest document that is read: an index, a manifest or a configuration.
pub(super) const DOCUMENT_LEN_MAX: u64 = 4 << 20;
/// The most layers of one image; overlayfs's options must fit one page.
pub(super) const LAYERS_MAX: usize = 100;

/// Points at a blob.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    #[serde(default)]
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Which machines a manifest is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A list of manifests: the layout's `index.json`, or an image for several platforms.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub schema_version: u32,
    pub manifests: Vec<Descriptor>,
}

/// One image for one platform.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// The configuration document of an image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConfigDocument {
    pub architecture: String,
    pub os: String,
    #[serde(default)]
    pub config: Option<ImageConfig>,
    pub rootfs: RootFs,
}

/// The digests of the uncompressed layers, lowest first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub diff_ids: Vec<Digest>,
}

/// What an image says about the process to start from it. All fields may be absent, or null in older images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `name`, `uid`, `name:group` or `uid:gid`; empty for root.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=value` each.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What comes first on the command line.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// What follows the entry point.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The directory to start in; empty for `/`.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Signal that asks the process to stop, such as `SIGQUIT`; empty for SIGTERM.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
}

impl ImageConfig {
    /// The command line of a container: `command` replaces the entry point and the image's arguments, `args` the
    /// arguments alone.
    ///
    /// Spec: <https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/>.
    #[must_use]
    pub fn command_line(&self, command: &[String], args: &[String]) -> Vec<String> {
        let (first, rest) = match (command.is_empty(), args.is_empty()) {
            (true, true) => (self.entrypoint.as_slice(), self.cmd.as_slice()),
            (true, false) => (self.entrypoint.as_slice(), args),
            (false, _) => (command, args),
        };
        first.iter().chain(rest).cloned().collect()
    }
}

/// One element of the `manifest.json` of a `docker save` archive: paths inside the archive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SavedImage {
    pub config: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub repo_tags: Vec<String>,
    pub layers: Vec<String>,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// This machine's architecture in the words of image platforms.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
