//! `serviceaccounts/token`: grants a token that dies with the object it is bound to.
//!
//! Spec: Kubernetes API reference, `authentication.k8s.io/v1 TokenRequest`; at least ten minutes; a
//! node may only ask for tokens bound to a pod that runs on it.
//!
//! Which tokens live longer than was asked for: those that admission gives to pods. Programs that read the token's file
//! only once would fail after an hour, so that such a token is valid for a year; its pod's end ends it before. The answer
//! tells the hour, by which agents replace the file, and the claim `warnafter` tells it to whoever looks for such
//! programs. Spec: KEP-1205; reference of kube-apiserver, `--service-account-extend-token-expiration`, whose default
//! this is.

use actors_core::Wall;
use actors_kinds::defaults::default_body;
use actors_object::{ApiError, FieldError, FieldPath, Object, Value, uid, value};
use store_mvcc::Key;

use crate::{
    Step, TokenTicket,
    admission::TOKEN_SECONDS,
    authz::{Ask, Authorizer, node_of},
    decode,
    visit::{Decision, Visit},
};

/// Shortest and longest life of a token, in seconds.
const SECONDS_MIN: i64 = 600;
const SECONDS_MAX: i64 = 1 << 32;

/// The life of a token that admission gave a pod.
const SECONDS_EXTENDED: i64 = 365 * 86_400;

/// Grants a token of the account that the path names.
pub(super) fn request(visit: &mut Visit<'_>) -> Decision {
    let Some(sub) = visit.sub else { return Err(ApiError::no_such_resource()) };
    let gvk = &sub.gvk;
    let mut request = decode::body(visit, &decode::Expected { gvk, shape: &sub.shape })?;
    default_body(&gvk.kind, &mut request);
    let account = visit.current()?;
    let name = visit.name()?;
    let seconds = request.i64_at(&["spec", "expirationSeconds"]).unwrap_or(0);
    if let Some(error) = check_seconds(seconds) {
        return Err(ApiError::invalid(&gvk.group_kind(), "", &[error]));
    }
    let namespace = visit.namespace();
    let mut bound = value!({
        "namespace": namespace,
        "serviceaccount": { "name": name, "uid": account.uid() },
    });
    let reference = request.path(&["spec", "boundObjectRef"]).cloned();
    check_node(visit, &request)?;
    if let Some(reference) = reference.filter(|value| !value.is_null()) {
        bind(visit, &reference, &mut bound)?;
    }
    let issuer = visit.door.config.issuer.clone();
    let mut audiences: Vec<String> = request
        .list_at(&["spec", "audiences"])
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if audiences.is_empty() {
        audiences.push(issuer.clone());
        request.set_path(&["spec", "audiences"], audiences.clone());
    }
    let now = visit.now.wall.as_secs();
    let renew_by = now.saturating_add(seconds);
    let mut expires = renew_by;
    if !bound.at("pod").is_null() && seconds == TOKEN_SECONDS && audiences == [issuer.clone()] {
        expires = now.saturating_add(SECONDS_EXTENDED);
        bound.set_path(&["warnafter"], renew_by);
    }
    let claims = value!({
        "iss": issuer,
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "aud": audiences,
        "exp": expires,
        "iat": now,
        "nbf": now,
        "jti": uid::random(visit.rng),
        "kubernetes.io": bound,
    });
    request.set_name(name);
    request.set_namespace(namespace);
    let renew_by = Wall(renew_by.saturating_mul(1_000_000_000));
    Ok(Step::Sign(Box::new(TokenTicket { claims, renew_by, request })))
}

fn check_seconds(seconds: i64) -> Option<FieldError> {
    let path = FieldPath::of(&["spec", "expirationSeconds"]);
    let why = match seconds {
        ..SECONDS_MIN => "may not specify a duration less than 10 minutes",
        SECONDS_MIN..=SECONDS_MAX => return None,
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    Some(FieldError::invalid(&path, seconds, why))
}

/// Ties the token to an object that must be there, with the uid that the request names.
fn bind(visit: &Visit<'_>, reference: &Value, bound: &mut Value) -> Result<(), ApiError> {
    let text = |field: &str| reference.at(field).as_str().unwrap_or_default();
    let (field, plural) = match (text("apiVersion"), text("kind")) {
        ("" | "v1", "Pod") => ("pod", "pods"),
        ("" | "v1", "Secret") => ("secret", "secrets"),
        ("" | "v1", "Node") => ("node", "nodes"),
        (version, kind) => {
            let given = format!("{version} {kind}");
            let why =
                format!("a token can be bound to a Pod, a Secret or a Node, not to {given:?}");
            return Err(ApiError::bad_request(why));
        }
    };
    let resource = actors_object::GroupResource::new("", plural);
    let name = text("name");
    let namespace = Some(visit.namespace()).filter(|_| field != "node");
    let found = visit.snapshot.get(&Key::object("", plural, namespace, name));
    let found = found.ok_or_else(|| ApiError::not_found(&resource, name))?;
    let uid = text("uid");
    if !uid.is_empty() && uid != found.uid() {
        let why = format!("the object has the UID {}, not {uid}: it was made anew", found.uid());
        return Err(ApiError::conflict(&resource, name, why));
    }
    if let (true, Some(account)) = (field == "pod", visit.request.target.name.as_deref()) {
        check_account(&found.object(), account, &resource)?;
    }
    bound.set_path(&[field], value!({ "name": name, "uid": found.uid() }));
    if let (true, Some(node)) = (field == "pod", found.field("spec.nodeName")) {
        // Told where it is known; the token does not depend on it.
        if let Some(item) = visit.snapshot.get(&Key::object("", "nodes", None, node)) {
            bound.set_path(&["node"], value!({ "name": node, "uid": item.uid() }));
        }
    }
    Ok(())
}

fn check_account(
    pod: &Object,
    account: &str,
    resource: &actors_object::GroupResource,
) -> Result<(), ApiError> {
    let used = pod.str_at(&["spec", "serviceAccountName"]).unwrap_or("default");
    if used == account {
        return Ok(());
    }
    let why = format!("the pod runs as service account {used:?}, not as {account:?}");
    Err(ApiError::forbidden(resource, pod.name(), why))
}

/// A node gets tokens for its own pods only (NodeRestriction).
fn check_node(visit: &Visit<'_>, request: &Object) -> Result<(), ApiError> {
    let reference = request.path(&["spec", "boundObjectRef"]);
    let Some(node) = node_of(&visit.request.identity) else { return Ok(()) };
    let is_pod = reference.is_some_and(|it| it.at("kind").as_str() == Some("Pod"));
    let name = reference.filter(|_| is_pod).and_then(|it| it.at("name").as_str());
    let name = name.unwrap_or_default();
    let pod = visit.snapshot.get(&Key::object("", "pods", Some(visit.namespace()), name));
    let account = visit.name()?;
    let refused = |why: String| Err(ApiError::forbidden(&visit.resource(), account, why));
    let pod = pod.filter(|pod| pod.field("spec.nodeName") == Some(node));
    let Some(pod) = pod.map(|pod| pod.object()) else {
        let why = format!("node {node:?} may only request tokens bound to pods that run on it");
        return refused(why);
    };
    let audiences = request.list_at(&["spec", "audiences"]).iter().filter_map(Value::as_str);
    for audience in audiences {
        if !is_audience(visit, &pod, audience) {
            let why = format!("audience {audience:?} not found in pod spec volume");
            return refused(why);
        }
    }
    Ok(())
}

/// Whether a node may ask for a token for this audience: the API itself, one that the pod's volumes name, or one that a
/// role allows. Spec: NodeRestriction, service-account audiences (KEP-4935).
fn is_audience(visit: &Visit<'_>, pod: &Object, audience: &str) -> bool {
    let named = pod.list_at(&["spec", "volumes"]).iter().any(|volume| {
        let mut sources = volume.list_at(&["projected", "sources"]).iter();
        sources.any(|one| one.str_at(&["serviceAccountToken", "audience"]) == Some(audience))
    });
    let ask = Ask::Resource {
        verb: "request-serviceaccounts-token-audience",
        group: "",
        resource: audience,
        namespace: visit.namespace(),
        name: visit.request.target.name.as_deref().unwrap_or_default(),
        fields: "",
    };
    named
        || audience == visit.door.config.issuer
        || Authorizer::new(visit.snapshot).allows(&visit.request.identity, ask)
}
