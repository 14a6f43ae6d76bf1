//! Whether somebody may do something: `SubjectAccessReview` and its two sisters.
//!
//! Way in: [`status`].

use actors_object::{ApiError, FieldError, FieldPath, Object, Value, value};

use crate::{
    Identity,
    authz::{Ask, Authorizer},
    visit::Visit,
};

/// A local review asks about the namespace of its path.
pub(super) fn check_place(visit: &Visit<'_>, review: &Object) -> Result<(), ApiError> {
    let path = FieldPath::of(&["spec", "resourceAttributes", "namespace"]);
    let asked = review.str_at(&["spec", "resourceAttributes", "namespace"]).unwrap_or_default();
    let wrong = if review.spec().get("nonResourceAttributes").is_some_and(|it| !it.is_null()) {
        let path = FieldPath::of(&["spec", "nonResourceAttributes"]);
        FieldError::invalid(&path, "", "disallowed on this kind of request")
    } else if asked == visit.namespace() {
        return Ok(());
    } else {
        FieldError::invalid(&path, asked, "must be the namespace of the path")
    };
    Err(ApiError::invalid(&visit.group_kind(), "", &[wrong]))
}

/// The answer: allowed or not, and through which binding.
pub(super) fn status(
    visit: &Visit<'_>,
    review: &Object,
    who: &Identity,
) -> Result<Value, ApiError> {
    let given = |field: &str| review.spec().get(field).filter(|value| !value.is_null());
    let (resource, url) = (given("resourceAttributes"), given("nonResourceAttributes"));
    check(visit, (resource, url), who)?;
    let text = |of: Option<&'_ Value>, name: &str| {
        of.and_then(|of| of.str_at(&[name])).unwrap_or_default().to_owned()
    };
    let of = |name: &str| text(resource, name);
    let (asked, group, namespace, name) = (of("verb"), of("group"), of("namespace"), of("name"));
    let (verb, path) = (text(url, "verb"), text(url, "path"));
    let sub = of("subresource");
    let plural = match sub.as_str() {
        "" => of("resource"),
        sub => format!("{}/{sub}", of("resource")),
    };
    let fields = resource.map(selector_text).unwrap_or_default();
    let ask = match url {
        Some(_) => Ask::Url { verb: &verb, path: &path },
        None => Ask::Resource {
            verb: &asked,
            group: &group,
            resource: &plural,
            namespace: &namespace,
            name: &name,
            fields: &fields,
        },
    };
    let (allowed, reason) = Authorizer::new(visit.snapshot).judge(who, ask);
    let mut status = value!({ "allowed": allowed });
    if !reason.is_empty() {
        status.set_path(&["reason"], reason);
    }
    Ok(status)
}

fn check(
    visit: &Visit<'_>,
    (resource, url): (Option<&Value>, Option<&Value>),
    who: &Identity,
) -> Result<(), ApiError> {
    let spec = FieldPath::new("spec");
    let mut errors = Vec::new();
    if resource.is_some() == url.is_some() {
        let path = spec.push_field("resourceAttributes");
        let why = "set either resourceAttributes or nonResourceAttributes";
        errors.push(FieldError::invalid(&path, resource, why));
    }
    if who.user.is_empty() && who.groups.is_empty() {
        errors.push(FieldError::invalid(&spec.push_field("user"), "", "set user or groups"));
    }
    match errors.as_slice() {
        [] => Ok(()),
        errors => Err(ApiError::invalid(&visit.group_kind(), "", errors)),
    }
}

/// The field selector of a question: as written, or from its requirements for exactly one value.
fn selector_text(attributes: &Value) -> String {
    if let Some(raw) = attributes.str_at(&["fieldSelector", "rawSelector"]) {
        return raw.to_owned();
    }
    let exact = attributes.list_at(&["fieldSelector", "requirements"]).iter().filter_map(|one| {
        let [value] = one.list_at(&["values"]) else { return None };
        let is_in = one.str_at(&["operator"]) == Some("In");
        let key = one.str_at(&["key"]).filter(|_| is_in)?;
        Some(format!("{key}={}", value.as_str()?))
    });
    exact.collect::<Vec<_>>().join(",")
}
