//! Plans as lines of text: for tests, traces and `starling why`.
//!
//! Way in: `Display` of [`Plan`] and [`Item`].  One line an item: `status Deployment/web
//! replicas=1`.

use std::fmt;

use actors_object::{Object, Value, json};

use super::{Item, Plan, Propagation};
use crate::Target;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            writeln!(f, "{item}")?;
        }
        if let Some(rejection) = &self.rejection {
            writeln!(f, "reject {}: {}", rejection.path, rejection.why)?;
        }
        if let Some(wait) = self.requeue_after {
            writeln!(f, "requeue {wait:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(object) => write!(f, "create {}", made(object)),
            // What is in a Secret is told to nobody, also not in traces.
            Self::Patch { target, .. } if target.key.kind.kind() == "Secret" => {
                write!(f, "patch {}", Short(target))
            }
            Self::Patch { target, patch } => {
                write!(f, "patch {}", Short(target))?;
                write_leaves(f, &mut String::new(), patch)
            }
            Self::Status { target, patch } => {
                write!(f, "status {}", Short(target))?;
                write_leaves(f, &mut String::new(), patch.at("status"))
            }
            Self::Delete { target, propagation, grace_seconds } => {
                write!(f, "delete {}", Short(target))?;
                if *propagation != Propagation::Background {
                    write!(f, " {}", propagation.as_str().to_lowercase())?;
                }
                match grace_seconds {
                    Some(seconds) => write!(f, " grace={seconds}"),
                    None => Ok(()),
                }
            }
            Self::Finalize { target } => write!(f, "finalize {}", Short(target)),
            Self::Bind { target, node } => write!(f, "bind {} to {node}", Short(target)),
            Self::Approve { target, patch } => {
                write!(f, "approve {}", Short(target))?;
                write_leaves(f, &mut String::new(), patch.at("status"))
            }
            Self::Event(happening) => {
                let (subject, kind) = (Short(&happening.regarding), happening.kind.as_str());
                write!(f, "event {subject} {kind} {}: {}", happening.reason, happening.message)
            }
        }
    }
}

struct Short<'a>(&'a Target);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.key.kind, self.0.key.name)
    }
}

/// The name of an object to be made; a star stands for what is not yet generated.
fn made(object: &Object) -> String {
    match (object.name(), object.str_at(&["metadata", "generateName"])) {
        ("", Some(base)) => format!("{}/{base}*", object.kind()),
        (name, _) => format!("{}/{name}", object.kind()),
    }
}

/// Writes every leaf of a patch as ` path=value`.
fn write_leaves(f: &mut fmt::Formatter<'_>, path: &mut String, value: &Value) -> fmt::Result {
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (name, member) in map.iter() {
                let length = path.len();
                push_name(path, name);
                write_leaves(f, path, member)?;
                path.truncate(length);
            }
            Ok(())
        }
        Value::String(text) if !text.contains([' ', '"']) && !text.is_empty() => {
            write!(f, " {path}={text}")
        }
        other => write!(f, " {path}={}", String::from_utf8_lossy(&json::to_vec(other))),
    }
}

fn push_name(path: &mut String, name: &str) {
    if name.contains(['.', '/']) {
        path.push('[');
        path.push_str(name);
        path.push(']');
    } else {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
}
