//! Reviews: questions about identities and permissions, answered and never stored.
//!
//! Way in: [`decide`].  Spec: Kubernetes API reference, groups `authorization.k8s.io` and
//! `authentication.k8s.io`.

mod access;
mod token;

use std::sync::Arc;

use actors_object::{ApiError, Map, Object, Value, value};
pub use token::TokenQuestion;

use crate::{
    Entry, Identity, Step,
    authz::{Authorizer, node_of},
    decode,
    visit::{Decision, Visit},
};

/// Answers a review.
pub(crate) fn decide(visit: &mut Visit<'_>) -> Decision {
    let expected = decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape };
    let mut review = decode::body(visit, &expected)?;
    let asker = &visit.request.identity;
    let status = match visit.kind.plural.as_str() {
        "selfsubjectreviews" => value!({ "userInfo": user_info(asker) }),
        "selfsubjectrulesreviews" => rules(visit, &review)?,
        "selfsubjectaccessreviews" => access::status(visit, &review, asker)?,
        "subjectaccessreviews" => access::status(visit, &review, &subject(&review))?,
        "localsubjectaccessreviews" => {
            access::check_place(visit, &review)?;
            access::status(visit, &review, &subject(&review))?
        }
        "tokenreviews" => return token::ask(visit, review),
        _ => return Err(ApiError::method_not_allowed(&visit.resource(), "create")),
    };
    review.set_status(status);
    answered(visit, review)
}

fn answered(visit: &Visit<'_>, mut review: Object) -> Result<Step, ApiError> {
    review.metadata_mut().insert("creationTimestamp", Value::Null);
    Ok(visit.reply(201, Entry::Made(Arc::new(review))))
}

/// What the asker may do in a namespace, rule by rule.
fn rules(visit: &Visit<'_>, review: &Object) -> Result<Value, ApiError> {
    let namespace = review.str_at(&["spec", "namespace"]).unwrap_or_default();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let asker = &visit.request.identity;
    let mut status = rules_status(&Authorizer::new(visit.snapshot).rules_of(asker, namespace));
    // What a node may read follows from its pods, not from rules.
    if node_of(asker).is_some() {
        status.set_path(&["incomplete"], true);
        let why = "what a node may do follows from its pods, and is no list of rules";
        status.set_path(&["evaluationError"], why);
    }
    Ok(status)
}

fn subject(review: &Object) -> Identity {
    let text = |field: &str| review.str_at(&["spec", field]).unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        let texts = value.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let extra = review.spec().at("extra").as_map();
    let extra = extra.into_iter().flat_map(|map| map.iter());
    Identity {
        user: text("user"),
        uid: text("uid"),
        groups: list(review.spec().at("groups")),
        extra: extra.map(|(key, texts)| (key.to_string(), list(texts))).collect(),
    }
}

/// `authentication.k8s.io/v1 UserInfo`.
fn user_info(who: &Identity) -> Value {
    let mut info = value!({ "username": &who.user });
    if !who.uid.is_empty() {
        info.set_path(&["uid"], &who.uid);
    }
    if !who.groups.is_empty() {
        info.set_path(&["groups"], who.groups.clone());
    }
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
