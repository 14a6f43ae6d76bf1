//! Reads what a container said when it ended.
//!
//! Way in: [`message`].  Spec: Kubernetes documentation, "Determine the Reason for Pod Failure":
//! the file, at most 4,096 bytes; with `FallbackToLogsOnError` the end of the log, 2,048 bytes or
//! 80 lines, if the file is empty and the container failed.

use std::{fs, io::Read as _};

use actors_object::{Object, Value};
use nodes_pods::ContainerRef;

use crate::{Paths, shared::PodKey, streams};

/// The longest message.
const MESSAGE_MAX: u64 = 4_096;
/// The longest message from a log.
const LOG_MAX: usize = 2_048;
/// The most lines of a message from a log.
const LOG_LINES_MAX: usize = 80;

/// The termination message of one life.
pub(crate) fn message(
    paths: &Paths,
    (key, pod): (&PodKey, Option<&Object>),
    container: &ContainerRef,
    code: i32,
) -> String {
    let mut bytes = Vec::new();
    let file = fs::File::open(paths.termination(&key.uid, &container.name, container.attempt));
    if let Ok(file) = file
        && file.take(MESSAGE_MAX).read_to_end(&mut bytes).is_ok()
        && !bytes.is_empty()
    {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let policy = pod
        .and_then(|pod| spec_of(pod, &container.name))
        .map(|spec| spec.at("terminationMessagePolicy"));
    if code == 0 || policy.and_then(Value::as_str) != Some("FallbackToLogsOnError") {
        return String::new();
    }
    let log = paths.pod_logs(&key.namespace, &key.name, &key.uid);
    streams::tail(&streams::log_path(&log, container), LOG_LINES_MAX, LOG_MAX)
}

/// The specification of a container in its pod, whatever its role.
pub(crate) fn spec_of<'a>(pod: &'a Object, name: &str) -> Option<&'a Value> {
    let spec = pod.0.at("spec");
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let mut all = lists.into_iter().flat_map(|list| spec.list_at(&[list]));
    all.find(|container| container.at("name").as_str() == Some(name))
}
