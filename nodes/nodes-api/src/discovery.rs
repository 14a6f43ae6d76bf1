//! What is served: discovery documents and OpenAPI, from the tables of kinds.
//!
//! Way in: [`answer`], [`openapi`].  Spec: Kubernetes API concepts, "API Discovery"; KEP-3352 (aggregated).

use actix_web::HttpResponse;
use actors_kinds::{
    discovery::{self, Half},
    openapi,
};
use actors_object::{ApiError, Value, json};

use crate::{edge::Visit, negotiate::Form, path::Route};

pub(crate) fn answer(visit: &Visit<'_>, route: &Route) -> Result<HttpResponse, ApiError> {
    let registry = visit.parts.registry.as_ref();
    let aggregated = matches!(visit.form, Form::DiscoveryV2 | Form::DiscoveryV2Beta1);
    let half = match route {
        Route::CoreVersions => Half::Core,
        _ => Half::Named,
    };
    let document = match (route, visit.form) {
        (Route::CoreVersions | Route::Groups, Form::DiscoveryV2) => {
            Some(discovery::aggregated(registry, half, "v2"))
        }
        (Route::CoreVersions | Route::Groups, Form::DiscoveryV2Beta1) => {
            Some(discovery::aggregated(registry, half, "v2beta1"))
        }
        (Route::CoreVersions, _) => {
            Some(discovery::api_versions(visit.http.connection_info().host()))
        }
        (Route::Groups, _) => Some(discovery::group_list(registry)),
        (Route::Group(group), _) => discovery::group(registry, group),
        (Route::Resources { group, version }, _) => {
            discovery::resource_list(registry, group, version)
        }
        _ => None,
    };
    let form = match route {
        Route::CoreVersions | Route::Groups if aggregated => visit.form,
        _ => Form::Json,
    };
    document.map(|document| send(&document, form)).ok_or_else(ApiError::no_such_resource)
}

/// `/openapi/v3` and its documents; anything else is unknown.
pub(crate) fn openapi(visit: &Visit<'_>, path: &str) -> Result<HttpResponse, ApiError> {
    let registry = visit.parts.registry.as_ref();
    let document = match path.trim_end_matches('/') {
        "/openapi/v3" => Some(openapi::index(registry)),
        other => match other
            .strip_prefix("/openapi/v3/")
            .map(|of| of.split('/').collect::<Vec<_>>())
            .as_deref()
        {
            Some(["api", version]) => openapi::document(registry, "", version),
            Some(["apis", group, version]) => openapi::document(registry, group, version),
            _ => None,
        },
    };
    document.map(|document| send(&document, Form::Json)).ok_or_else(ApiError::no_such_resource)
}

fn send(document: &Value, form: Form) -> HttpResponse {
    HttpResponse::Ok().content_type(form.content_type()).body(json::to_vec(document))
}
