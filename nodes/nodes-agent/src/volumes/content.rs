//! Gathers the files of volumes that are made of objects of the API: configMap, secret,
//! downwardAPI, projected.
//!
//! Way in: [`gather`].  Never: a file on disk.

use actors_object::{Object, Value};
use nodes_pods::{Keys, PodFacts, field_value, resource_value};

use super::{
    VolumeError,
    atomic_writer::{File, Files},
    keys_of, tokens,
};
use crate::shared::{PodRecord, Shared, target};

/// The mode of files whose volume names none.
const MODE_DEFAULT: u32 = 0o644;

/// Kinds of volumes whose files the agent writes.
const WRITTEN: [&str; 4] = ["configMap", "secret", "downwardAPI", "projected"];

/// Whether the agent writes the volume's files.
pub(super) fn is_written(volume: &Value) -> bool {
    WRITTEN.iter().any(|kind| volume.get(kind).is_some())
}

/// One volume's, or one projected source's, place in a pod.
struct Source<'a> {
    shared: &'a Shared,
    record: &'a PodRecord,
    pod: &'a Object,
    volume: &'a str,
    mode: u32,
}

/// All files of one volume.
pub(super) async fn gather(
    shared: &Shared,
    record: &PodRecord,
    pod: &Object,
    volume: &Value,
) -> Result<Files, VolumeError> {
    let name = volume.at("name").as_str().unwrap_or_default();
    let kind = WRITTEN.iter().find_map(|kind| Some((*kind, volume.get(kind)?)));
    let Some((kind, body)) = kind else { return Ok(Files::new()) };
    let mode = body.at("defaultMode").as_i64().and_then(|mode| u32::try_from(mode).ok());
    let source = Source { shared, record, pod, volume: name, mode: mode.unwrap_or(MODE_DEFAULT) };
    if kind != "projected" {
        return source.read(kind, body).await;
    }
    let mut files = Files::new();
    for part in body.list_at(&["sources"]) {
        for (kind, body) in part.as_map().into_iter().flat_map(|map| map.iter()) {
            files.extend(source.read(kind, body).await?);
        }
    }
    Ok(files)
}

impl Source<'_> {
    async fn read(&self, kind: &str, body: &Value) -> Result<Files, VolumeError> {
        match kind {
            "configMap" => self.read_keys("configmaps", body, "name").await,
            // A Secret's name stands in another field where it is a volume of its own.
            "secret" if body.get("secretName").is_some() => {
                self.read_keys("secrets", body, "secretName").await
            }
            "secret" => self.read_keys("secrets", body, "name").await,
            "downwardAPI" => self.read_downward(body),
            "serviceAccountToken" => self.read_token(body).await,
            other => {
                let what =
                    format!("projected sources of kind {other} are not supported on this node");
                Err(VolumeError::content(self.volume, what))
            }
        }
    }

    fn file(&self, bytes: Vec<u8>, item: &Value) -> File {
        let mode = item.at("mode").as_i64().and_then(|mode| u32::try_from(mode).ok());
        File { bytes, mode: mode.unwrap_or(self.mode) }
    }

    async fn read_keys(
        &self,
        resource: &str,
        body: &Value,
        field: &str,
    ) -> Result<Files, VolumeError> {
        let name = body.at(field).as_str().unwrap_or_default();
        let optional = body.at("optional").as_bool() == Some(true);
        let place = target("", "v1", resource, Some(self.pod.namespace()), Some(name));
        let keys = match self.shared.calls.get(place).await {
            Ok(object) => keys_of(&object),
            Err(error) if error.code == 404 && optional => return Ok(Files::new()),
            Err(error) => return Err(VolumeError::of_api(self.volume, error)),
        };
        self.pick(keys, body, (resource, name))
    }

    /// All keys, or those that `items` names, under the paths it gives them.
    fn pick(
        &self,
        keys: Keys,
        body: &Value,
        (resource, name): (&str, &str),
    ) -> Result<Files, VolumeError> {
        let items = body.list_at(&["items"]);
        if items.is_empty() {
            return Ok(keys
                .into_iter()
                .map(|(key, bytes)| (key, self.file(bytes, &Value::Null)))
                .collect());
        }
        let optional = body.at("optional").as_bool() == Some(true);
        let mut files = Files::new();
        for item in items {
            let key = item.at("key").as_str().unwrap_or_default();
            match keys.get(key) {
                Some(bytes) => {
                    files.insert(path_of(item), self.file(bytes.clone(), item));
                }
                None if optional => {}
                None => {
                    let what = format!("{resource} {name:?} has no key {key:?}");
                    return Err(VolumeError::content(self.volume, what));
                }
            }
        }
        Ok(files)
    }

    fn read_downward(&self, body: &Value) -> Result<Files, VolumeError> {
        let facts = PodFacts { ips: self.record.ips(), node: self.shared.facts.clone() };
        let mut files = Files::new();
        for item in body.list_at(&["items"]) {
            let text = match item.str_at(&["fieldRef", "fieldPath"]) {
                Some(path) => field_value(self.pod, &facts, path),
                None => resource_value(self.pod, "", &facts.node, item.at("resourceFieldRef")),
            };
            let text =
                text.map_err(|error| VolumeError::content(self.volume, error.to_string()))?;
            files.insert(path_of(item), self.file(text.into_bytes(), item));
        }
        Ok(files)
    }

    async fn read_token(&self, body: &Value) -> Result<Files, VolumeError> {
        let token = tokens::get(self.shared, self.record, self.pod, body).await;
        let token = token.map_err(|error| VolumeError::of_api(self.volume, error))?;
        Ok(Files::from([(path_of(body), self.file(token.into_bytes(), body))]))
    }
}

fn path_of(item: &Value) -> String {
    item.at("path").as_str().unwrap_or_default().to_owned()
}
