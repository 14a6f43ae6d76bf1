//! What a pod may be told of itself and of its node: `fieldRef` and `resourceFieldRef`.
//!
//! Way in: [`field_value`], [`resource_value`].  Spec: Kubernetes documentation, "Downward API".

use actors_object::{Object, Value, quantity::Quantity};

/// What is known of a pod beside its object when a container is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// The pod's addresses, the primary one first.
    pub ips: Vec<String>,
    /// Its node.
    pub node: NodeFacts,
}

/// What is known of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its addresses, the primary one first.
    pub ips: Vec<String>,
    /// What it can give: the limit of containers that name none. Quantities by resource name.
    pub allocatable: Vec<(String, String)>,
}

/// Why a value cannot be given. The author of the pod mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownwardError {
    /// No such field is offered.
    #[error("field {0:?} is not available to containers")]
    Field(String),
    /// No such resource is offered.
    #[error("resource {0:?} is not available to containers")]
    Resource(String),
    /// The named container does not exist.
    #[error("container {0:?} is not in this pod")]
    Container(String),
    /// A quantity cannot be read.
    #[error("{0:?} is not a quantity")]
    Quantity(String),
}

/// The value of `fieldRef.fieldPath`.
///
/// # Errors
/// [`DownwardError::Field`] if the path is none of the documented ones.
pub fn field_value(pod: &Object, facts: &PodFacts, path: &str) -> Result<String, DownwardError> {
    let spec = pod.0.at("spec");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = |ips: &[String]| ips.first().cloned().unwrap_or_default();
    if let Some((list, key)) = subscript(path) {
        return match list {
            "metadata.labels" => Ok(pod.label(key).unwrap_or_default().to_owned()),
            "metadata.annotations" => Ok(pod.annotation(key).unwrap_or_default().to_owned()),
            _ => Err(DownwardError::Field(path.to_owned())),
        };
    }
    Ok(match path {
        "metadata.name" => pod.name().to_owned(),
        "metadata.namespace" => pod.namespace().to_owned(),
        "metadata.uid" => pod.uid().to_owned(),
        "metadata.labels" => lines(pod.labels()),
        "metadata.annotations" => lines(pod.annotations()),
        "spec.nodeName" => text(spec.at("nodeName")),
        "spec.serviceAccountName" => text(spec.at("serviceAccountName")),
        "status.hostIP" => first(&facts.node.ips),
        "status.hostIPs" => facts.node.ips.join(","),
        "status.podIP" => first(&facts.ips),
        "status.podIPs" => facts.ips.join(","),
        _ => return Err(DownwardError::Field(path.to_owned())),
    })
}

/// The value of a `resourceFieldRef`; `container` is the one that asks, and the default of
/// `containerName`.
///
/// # Errors
/// One of [`DownwardError`].
pub fn resource_value(
    pod: &Object,
    container: &str,
    node: &NodeFacts,
    reference: &Value,
) -> Result<String, DownwardError> {
    let named =
        reference.at("containerName").as_str().filter(|name| !name.is_empty()).unwrap_or(container);
    let spec = pod.0.at("spec");
    let mut all = spec.list_at(&["containers"]).iter().chain(spec.list_at(&["initContainers"]));
    let found = all
        .find(|one| one.at("name").as_str() == Some(named))
        .ok_or_else(|| DownwardError::Container(named.to_owned()))?;
    let resource = reference.at("resource").as_str().unwrap_or_default();
    let unknown = || DownwardError::Resource(resource.to_owned());
    let (list, name) = resource.split_once('.').ok_or_else(unknown)?;
    if !matches!(list, "limits" | "requests") || !is_offered(name) {
        return Err(unknown());
    }
    let given = found.path(&["resources", list, name]).and_then(quantity_text);
    let allocatable =
        || node.allocatable.iter().find(|(one, _)| one == name).map(|(_, amount)| amount.clone());
    let text = match list {
        "limits" => given.or_else(allocatable),
        _ => given,
    };
    let amount = parse(text.as_deref().unwrap_or("0"))?;
    let divisor = quantity_text(reference.at("divisor"))
        .filter(|text| text != "0")
        .unwrap_or_else(|| "1".into());
    Ok(divide(&amount, &parse(&divisor)?).to_string())
}

fn is_offered(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-")
}

fn quantity_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

fn parse(text: &str) -> Result<Quantity, DownwardError> {
    Quantity::parse(text).map_err(|_| DownwardError::Quantity(text.to_owned()))
}

/// Rounded up. Thousandths are only kept where both fit, so that large memories do not overflow.
fn divide(amount: &Quantity, divisor: &Quantity) -> i128 {
    let (amount, divisor) = (i128::from(amount.milli()), i128::from(divisor.milli()).max(1));
    (amount + divisor - 1).div_euclid(divisor)
}

/// `metadata.labels['key']` as its two parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (list, rest) = path.split_once("['")?;
    Some((list, rest.strip_suffix("']")?))
}

/// One `key="value"` a line, sorted by key, with quotes and backslashes escaped.
fn lines<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut all: Vec<String> = pairs.map(|(key, value)| format!("{key}={value:?}")).collect();
    all.sort();
    all.join("\n")
}
