//! Containers of all three sorts.

use actors_object::{Map, Value};

use super::{each, inner};

/// One container; on the host's network its ports are the host's.
pub(super) fn default_container(container: &mut Map, on_host: bool) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let pull = pull_policy(image);
    each(container, "ports").for_each(|port| default_port(port, on_host));
    for variable in each(container, "env") {
        let field = inner(variable, "valueFrom").and_then(|from| inner(from, "fieldRef"));
        field.into_iter().for_each(|field| {
            field.set_default("apiVersion", "v1");
        });
    }
    container.set_default("resources", Map::new());
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        inner(container, name).into_iter().for_each(default_probe);
    }
    if let Some(lifecycle) = inner(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            inner(lifecycle, hook).into_iter().for_each(default_handler);
        }
    }
    container.set_default("terminationMessagePath", "/dev/termination-log");
    container.set_default("terminationMessagePolicy", "File");
    container.set_default("imagePullPolicy", pull);
}

/// How an image is looked for: one whose tag moves is asked for each time.
pub(super) fn pull_policy(image: &str) -> &'static str {
    if is_latest(image) { "Always" } else { "IfNotPresent" }
}

/// Whether an image has the tag `latest`, or neither tag nor digest. A colon before the last slash is the
/// registry's port.
fn is_latest(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none(),
    }
}

fn default_port(port: &mut Map, on_host: bool) {
    port.set_default("protocol", "TCP");
    let number = port.get("containerPort").and_then(Value::as_i64);
    let host = port.get("hostPort").and_then(Value::as_i64).unwrap_or(0);
    if let (true, 0, Some(number)) = (on_host, host, number) {
        port.insert("hostPort", number);
    }
}

fn default_probe(probe: &mut Map) {
    default_handler(probe);
    if let Some(grpc) = inner(probe, "grpc") {
        grpc.set_default("service", "");
    }
    for (name, seconds_or_count) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        // Zero is what old clients write for nothing.
        if probe.get(name).and_then(Value::as_i64).unwrap_or(0) == 0 {
            probe.insert(name, seconds_or_count);
        }
    }
}

fn default_handler(handler: &mut Map) {
    if let Some(http) = inner(handler, "httpGet") {
        if http.get("path").and_then(Value::as_str).unwrap_or_default().is_empty() {
            http.insert("path", "/");
        }
        http.set_default("scheme", "HTTP");
    }
}
