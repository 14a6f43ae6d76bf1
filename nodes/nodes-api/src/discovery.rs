//! What is served: discovery documents, from the tables of kinds.
//!
//! Way in: [`answer`].  Spec: Kubernetes API concepts, "API Discovery"; KEP-3352: the aggregated document carries an
//! `ETag`, and who has it already is told so with 304.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use actors_kinds::{
    Registry,
    discovery::{self, Half},
};
use actors_object::{ApiError, Value, json};

use crate::{
    documents::{digest, is_known},
    edge::Visit,
    negotiate::Form,
    path::Route,
    protobuf,
};

pub(crate) fn answer(visit: &Visit<'_>, route: &Route) -> Result<HttpResponse, ApiError> {
    let address = visit.http.connection_info().host().to_owned();
    respond(&visit.parts.registry, (visit.http, &address), route, visit.form)
}

fn respond(
    registry: &Registry,
    (http, address): (&HttpRequest, &str),
    route: &Route,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let half = match route {
        Route::CoreVersions => Some(Half::Core),
        Route::Groups => Some(Half::Named),
        _ => None,
    };
    if let (Some(half), Some(version)) = (half, aggregated(form)) {
        let document = discovery::aggregated(registry, half, version);
        return send_aggregated(registry, http, &document, form);
    }
    let document = match route {
        Route::CoreVersions => Some(discovery::api_versions(address)),
        Route::Groups => Some(discovery::group_list(registry)),
        Route::Group(group) => discovery::group(registry, group),
        Route::Resources { group, version } => discovery::resource_list(registry, group, version),
        Route::Resource(_) | Route::Other => None,
    };
    let document = document.ok_or_else(ApiError::no_such_resource)?;
    let packed = match form {
        Form::Protobuf => protobuf::value(registry, &versioned(&document))?,
        _ => None,
    };
    Ok(match packed {
        Some(bytes) => HttpResponse::Ok().content_type(Form::Protobuf.content_type()).body(bytes),
        None => {
            HttpResponse::Ok().content_type(Form::Json.content_type()).body(json::to_vec(&document))
        }
    })
}

/// The oldest of these documents does not say its own version in JSON; in protobuf all do.
fn versioned(document: &Value) -> Value {
    let mut document = document.clone();
    document.set_path(&["apiVersion"], "v1");
    document
}

/// The version of aggregated discovery that a form asks for.
fn aggregated(form: Form) -> Option<&'static str> {
    match form {
        Form::DiscoveryV2 | Form::DiscoveryV2Protobuf => Some("v2"),
        Form::DiscoveryV2Beta1 | Form::DiscoveryV2Beta1Protobuf => Some("v2beta1"),
        _ => None,
    }
}

fn send_aggregated(
    registry: &Registry,
    http: &HttpRequest,
    document: &Value,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let text = json::to_vec(document);
    // The tag is that of the content, whatever its form is.
    let tag = format!("\"{}\"", digest(&text));
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, tag.as_str()))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::CACHE_CONTROL, "public"));
    if is_known(http, &tag) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    response.content_type(form.content_type());
    match form {
        Form::DiscoveryV2 | Form::DiscoveryV2Beta1 => Ok(response.body(text)),
        _ => match protobuf::value(registry, document)? {
            Some(bytes) => Ok(response.body(bytes)),
            None => Err(ApiError::internal("discovery has no protobuf form")),
        },
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, test::TestRequest};
    use actors_kinds::protobuf::{Envelope, decode};

    use super::*;
    use crate::path;

    struct Answer {
        code: u16,
        media: String,
        tag: Option<String>,
        body: bytes::Bytes,
    }

    async fn get(uri: &str, accept: &str, known: &str) -> Answer {
        let registry = Registry::builtin().expect("the tables are good");
        let request = TestRequest::get().uri(uri).insert_header(("if-none-match", known));
        let http = request.to_http_request();
        let form = Form::of(accept).expect("a form");
        let place = (&http, "10.0.0.1:6443");
        let response = match respond(&registry, place, &path::parse(uri), form) {
            Ok(response) => response,
            Err(error) => crate::encode::error(&error),
        };
        let text = |name| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let (media, tag) = (text(header::CONTENT_TYPE).unwrap_or_default(), text(header::ETAG));
        let code = response.status().as_u16();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        Answer { code, media, tag, body }
    }

    #[actix_web::test]
    async fn aggregated_discovery_is_sent_once_to_those_who_keep_it() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
             application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        let first = get("/apis", kubectl, "").await;
        assert_eq!(first.media, Form::DiscoveryV2.content_type());
        let tag = first.tag.expect("a tag");
        let again = get("/apis", kubectl, &tag).await;
        assert_eq!((again.code, again.body.len(), again.tag), (304, 0, Some(tag.clone())));
        let other = get("/api", kubectl, &tag).await;
        assert_eq!(other.code, 200);
        let old = get("/apis", "application/json;as=APIGroupDiscoveryList;v=v2beta1", "").await;
        assert_eq!(old.media, Form::DiscoveryV2Beta1.content_type());
    }

    #[actix_web::test]
    async fn every_document_has_a_protobuf_form() {
        let registry = Registry::builtin().expect("the tables are good");
        let plain = "application/vnd.kubernetes.protobuf";
        let whole = "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        for (uri, accept, name) in [
            ("/api", plain, "meta.v1.APIVersions"),
            ("/apis", plain, "meta.v1.APIGroupList"),
            ("/apis/apps", plain, "meta.v1.APIGroup"),
            ("/apis/apps/v1", plain, "meta.v1.APIResourceList"),
            ("/apis", whole, "apidiscovery.v2.APIGroupDiscoveryList"),
        ] {
            let answer = get(uri, accept, "").await;
            assert_eq!((answer.code, answer.media.as_str()), (200, accept), "{uri}");
            let envelope = Envelope::open(&answer.body).expect("an envelope");
            let shape = registry.shape_named(name);
            let tree = decode(registry.schema(), &shape, &envelope.raw).expect("a message");
            let form = Form::of(accept).filter(|form| aggregated(*form).is_some());
            let json = form.map_or("application/json", |_| Form::DiscoveryV2.content_type());
            let same = get(uri, json, "").await;
            let mut same = json::from_slice(&same.body).expect("JSON");
            same.remove_path(&["kind"]);
            same.remove_path(&["apiVersion"]);
            assert_eq!(sorted(&tree), sorted(&same), "{uri}");
        }
        assert_eq!(get("/apis/none", plain, "").await.code, 404);
    }

    /// The same tree without what is empty, its fields in order of names: protobuf tells nothing from nothing.
    fn sorted(value: &Value) -> String {
        match value {
            Value::Map(map) => {
                let mut fields: Vec<String> = map
                    .iter()
                    .filter(|(_, value)| !matches!(value, Value::Map(map) if map.is_empty()))
                    .map(|(name, value)| format!("{name}: {}", sorted(value)))
                    .collect();
                fields.sort();
                format!("{fields:?}")
            }
            Value::List(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
            other => json::to_string(other),
        }
    }
}
