//! Builds a container's environment: links, `envFrom`, then `env`, each able to name those before
//! it.
//!
//! Way in: [`resolve_env`].  Never: a lookup of its own; whoever calls brings ConfigMaps and
//! Secrets.
//! Spec: Kubernetes documentation, "Define Environment Variables for a Container", "ConfigMaps",
//! "Secrets".

use std::collections::{BTreeMap, BTreeSet};

use actors_object::{Object, Value};

use crate::{
    downward::{DownwardError, PodFacts, field_value, resource_value},
    expansion::expand,
};

/// The entries of one ConfigMap or Secret, decoded.
pub type Keys = BTreeMap<String, Vec<u8>>;

/// What an environment is made from.
#[derive(Debug, Clone, Default)]
pub struct DataSources {
    /// ConfigMaps of the pod's namespace by name; absent ones are not in it.
    pub config_maps: BTreeMap<String, Keys>,
    /// Secrets of the pod's namespace by name; absent ones are not in it.
    pub secrets: BTreeMap<String, Keys>,
    /// Variables that name Services, see [`crate::service_links`].
    pub links: Vec<(String, String)>,
}

/// Why an environment cannot be built. The container waits with CreateContainerConfigError until it
/// can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A ConfigMap or Secret that is not optional is absent.
    #[error("{kind} {name:?} not found")]
    Source {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It has no such key.
    #[error("couldn't find key {key} in {kind} {name:?}")]
    Key {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A value is not text.
    #[error("key {key} in {kind} {name:?} is not text, which an environment variable must be")]
    Binary {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A field of the pod that is not offered.
    #[error("environment variable {name}: {source}")]
    Downward {
        /// The variable.
        name: String,
        /// Why.
        #[source]
        source: DownwardError,
    },
}

/// The names of all ConfigMaps (first) and Secrets that a container's environment needs.
#[must_use]
pub fn referenced_data(container: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    let note = |all: &mut BTreeSet<String>, reference: Option<&str>| {
        all.extend(reference.map(str::to_owned));
    };
    for source in container.list_at(&["envFrom"]) {
        note(&mut maps, source.str_at(&["configMapRef", "name"]));
        note(&mut secrets, source.str_at(&["secretRef", "name"]));
    }
    for variable in container.list_at(&["env"]) {
        note(&mut maps, variable.str_at(&["valueFrom", "configMapKeyRef", "name"]));
        note(&mut secrets, variable.str_at(&["valueFrom", "secretKeyRef", "name"]));
    }
    (maps, secrets)
}

/// The environment of `container`, each name once, in the order of first mention.
///
/// # Errors
/// What is absent and not optional.
pub fn resolve_env(
    pod: &Object,
    container: &Value,
    sources: &DataSources,
    facts: &PodFacts,
) -> Result<Vec<(String, String)>, EnvError> {
    let mut env = Env::default();
    if pod.0.at("spec").at("enableServiceLinks").as_bool() != Some(false) {
        for (name, value) in &sources.links {
            env.set(name, value.clone());
        }
    }
    for source in container.list_at(&["envFrom"]) {
        add_source(&mut env, source, sources)?;
    }
    let own = container.at("name").as_str().unwrap_or_default();
    for variable in container.list_at(&["env"]) {
        let Some(name) = variable.at("name").as_str() else { continue };
        let from = variable.at("valueFrom");
        let value = if let Some(path) = from.str_at(&["fieldRef", "fieldPath"]) {
            Some(field_value(pod, facts, path).map_err(|source| downward(name, source))?)
        } else if let Some(reference) = from.get("resourceFieldRef") {
            let value = resource_value(pod, own, &facts.node, reference);
            Some(value.map_err(|source| downward(name, source))?)
        } else if let Some(reference) = from.get("configMapKeyRef") {
            key_value("configmap", &sources.config_maps, reference)?
        } else if let Some(reference) = from.get("secretKeyRef") {
            key_value("secret", &sources.secrets, reference)?
        } else {
            let text = variable.at("value").as_str().unwrap_or_default();
            Some(expand(text, &|name| env.get(name)))
        };
        if let Some(value) = value {
            env.set(name, value);
        }
    }
    Ok(env.0)
}

#[derive(Default)]
struct Env(Vec<(String, String)>);

impl Env {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(one, _)| one == name) {
            Some((_, before)) => *before = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

fn downward(name: &str, source: DownwardError) -> EnvError {
    EnvError::Downward { name: name.to_owned(), source }
}

fn is_optional(reference: &Value) -> bool {
    reference.at("optional").as_bool() == Some(true)
}

/// Adds all entries of one `envFrom`; keys that cannot be variables are left out.
fn add_source(env: &mut Env, source: &Value, sources: &DataSources) -> Result<(), EnvError> {
    let prefix = source.at("prefix").as_str().unwrap_or_default();
    let (kind, all, reference) = match (source.get("configMapRef"), source.get("secretRef")) {
        (Some(reference), _) => ("configmap", &sources.config_maps, reference),
        (None, Some(reference)) => ("secret", &sources.secrets, reference),
        (None, None) => return Ok(()),
    };
    let name = reference.at("name").as_str().unwrap_or_default();
    let Some(keys) = all.get(name) else {
        let missing = EnvError::Source { kind, name: name.to_owned() };
        return if is_optional(reference) { Ok(()) } else { Err(missing) };
    };
    for (key, bytes) in keys {
        let variable = format!("{prefix}{key}");
        if let (true, Ok(text)) = (is_variable(&variable), std::str::from_utf8(bytes)) {
            env.set(&variable, text.to_owned());
        }
    }
    Ok(())
}

/// Printable ASCII without `=`, as relaxed environment variable validation allows.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
}

fn key_value(
    kind: &'static str,
    all: &BTreeMap<String, Keys>,
    reference: &Value,
) -> Result<Option<String>, EnvError> {
    let name = reference.at("name").as_str().unwrap_or_default();
    let key = reference.at("key").as_str().unwrap_or_default();
    let missing = match all.get(name) {
        None => EnvError::Source { kind, name: name.to_owned() },
        Some(keys) => match keys.get(key).map(|bytes| String::from_utf8(bytes.clone())) {
            Some(Ok(text)) => return Ok(Some(text)),
            Some(Err(_)) => EnvError::Binary { kind, name: name.to_owned(), key: key.to_owned() },
            None => EnvError::Key { kind, name: name.to_owned(), key: key.to_owned() },
        },
    };
    if is_optional(reference) { Ok(None) } else { Err(missing) }
}

#[cfg(test)]
mod tests;
