//! Reviews: questions about identities and permissions, answered and never stored.
//!
//! Way in: [`decide`].  Spec: Kubernetes API reference, groups `authorization.k8s.io` and
//! `authentication.k8s.io`.

use std::sync::Arc;

use actors_object::{ApiError, FieldError, FieldPath, Map, Object, Value, value};

use crate::{
    Entry, Identity,
    authz::{Ask, Authorizer},
    decode,
    visit::{Decision, Visit},
};

/// Answers a review.
pub(crate) fn decide(visit: &mut Visit<'_>) -> Decision {
    let expected = decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape };
    let mut review = decode::body(visit, &expected)?;
    let authorizer = Authorizer::new(visit.snapshot);
    let asker = &visit.request.identity;
    let status = match visit.kind.plural.as_str() {
        "selfsubjectreviews" => value!({ "userInfo": user_info(asker) }),
        "selfsubjectrulesreviews" => {
            let namespace = review.str_at(&["spec", "namespace"]).unwrap_or_default();
            rules_status(&authorizer.rules_of(asker, namespace))
        }
        "selfsubjectaccessreviews" => access_status(visit, &review, asker)?,
        "subjectaccessreviews" => access_status(visit, &review, &subject(&review))?,
        "localsubjectaccessreviews" => {
            let asked = review.str_at(&["spec", "resourceAttributes", "namespace"]);
            if asked != Some(visit.namespace()) {
                let path = FieldPath::of(&["spec", "resourceAttributes", "namespace"]);
                let error = FieldError::invalid(&path, asked, "must be the namespace of the path");
                return Err(ApiError::invalid(&visit.group_kind(), "", &[error]));
            }
            access_status(visit, &review, &subject(&review))?
        }
        _ => return Err(ApiError::method_not_allowed(&visit.resource(), "create")),
    };
    review.set_status(status);
    review.metadata_mut().insert("creationTimestamp", Value::Null);
    Ok(visit.reply(201, Entry::Made(Arc::new(review))))
}

fn access_status(visit: &Visit<'_>, review: &Object, who: &Identity) -> Result<Value, ApiError> {
    let text = |field: &str, name: &str| {
        review.str_at(&["spec", field, name]).unwrap_or_default().to_owned()
    };
    let spec = FieldPath::new("spec");
    let wrong = |error: FieldError| ApiError::invalid(&visit.group_kind(), "", &[error]);
    let resource = review.spec().get("resourceAttributes");
    let url = review.spec().get("nonResourceAttributes");
    if resource.is_some() == url.is_some() {
        let path = spec.push_field("resourceAttributes");
        let why = "set either resourceAttributes or nonResourceAttributes";
        return Err(wrong(FieldError::invalid(&path, resource, why)));
    }
    if who.user.is_empty() && who.groups.is_empty() {
        let why = "set user or groups";
        return Err(wrong(FieldError::invalid(&spec.push_field("user"), "", why)));
    }
    let (verb, path) =
        (text("nonResourceAttributes", "verb"), text("nonResourceAttributes", "path"));
    let of = |name: &str| text("resourceAttributes", name);
    let (asked, group, namespace, name) = (of("verb"), of("group"), of("namespace"), of("name"));
    let mut plural = of("resource");
    let sub = of("subresource");
    if !sub.is_empty() {
        plural = format!("{plural}/{sub}");
    }
    let ask = match url {
        Some(_) => Ask::Url { verb: &verb, path: &path },
        None => Ask::Resource {
            verb: &asked,
            group: &group,
            resource: &plural,
            namespace: &namespace,
            name: &name,
        },
    };
    Ok(value!({ "allowed": Authorizer::new(visit.snapshot).allows(who, ask) }))
}

fn subject(review: &Object) -> Identity {
    let text = |field: &str| review.str_at(&["spec", field]).unwrap_or_default().to_owned();
    let groups = review.list_at(&["spec", "groups"]).iter().filter_map(Value::as_str);
    Identity {
        user: text("user"),
        uid: text("uid"),
        groups: groups.map(str::to_owned).collect(),
        extra: Vec::new(),
    }
}

/// `authentication.k8s.io/v1 UserInfo`.
fn user_info(who: &Identity) -> Value {
    let mut info = value!({ "username": &who.user });
    if !who.uid.is_empty() {
        info.set_path(&["uid"], &who.uid);
    }
    info.set_path(&["groups"], who.groups.clone());
    if !who.extra.is_empty() {
        let extra: Map = who.extra.iter().map(|(key, texts)| (key, texts.clone())).collect();
        info.set_path(&["extra"], extra);
    }
    info
}

fn rules_status(rules: &[Value]) -> Value {
    let pick = |field: &str, others: &[&str]| -> Value {
        let with = rules.iter().filter(|rule| !rule.list_at(&[field]).is_empty());
        with.map(|rule| {
            let fields = ["verbs", field].into_iter().chain(others.iter().copied());
            let known = fields.filter_map(|name| rule.get(name).map(|list| (name, list)));
            Value::Map(known.collect())
        })
        .collect()
    };
    value!({
        "resourceRules": pick("resources", &["apiGroups", "resourceNames"]),
        "nonResourceRules": pick("nonResourceURLs", &[]),
        "incomplete": false,
    })
}
