//! OpenAPI documents as they are sent: rendered once, kept compressed, and told from others by a hash.
//!
//! Way in: [`Documents::answer`].  Owns: the compressed documents; their texts are let go of when they are rendered.
//! Spec: KEP-2896: `/openapi/v3` names each document with its hash, and what is asked for by its hash never changes;
//! RFC 9110, "ETag", "If-None-Match" and "Content-Encoding".

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    sync::{Arc, OnceLock},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
};
use actors_descriptions::Descriptions;
use actors_kinds::{
    Registry,
    openapi::{self, gnostic},
};
use actors_object::{ApiError, Value, json};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha512};

const JSON: &str = "application/json";
const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const V3: &str = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";

/// All OpenAPI documents of one set of kinds. Cheap to clone.
#[derive(Clone, Default)]
pub struct Documents {
    kept: Arc<OnceLock<Kept>>,
}

struct Kept {
    /// By their paths behind `/openapi/v3/`; the index has none.
    v3: BTreeMap<String, Document>,
    v2: Document,
}

/// One document in both of its forms.
struct Document {
    /// In JSON, compressed, and what it is told from others by.
    json: Bytes,
    hash: String,
    /// In gnostic's protobuf, compressed; the index has no such form.
    protobuf: Option<(&'static str, Bytes)>,
}

impl Documents {
    /// What is at a path below `/openapi`.
    ///
    /// # Errors
    /// 404 where nothing is, 406 for a form that is not served.
    pub(crate) async fn answer(
        &self,
        registry: &Arc<Registry>,
        http: &HttpRequest,
    ) -> Result<HttpResponse, ApiError> {
        if self.kept.get().is_none() {
            // The first one who asks waits while everything is rendered, and holds nobody else up.
            let (kept, registry) = (Arc::clone(&self.kept), Arc::clone(registry));
            let rendered = actix_web::web::block(move || {
                kept.get_or_init(|| Kept::render(&registry));
            });
            rendered.await.map_err(ApiError::internal)?;
        }
        let kept = self.kept.get().ok_or_else(|| ApiError::internal("nothing was rendered"))?;
        let path = http.path().trim_end_matches('/');
        let document = match path.strip_prefix("/openapi/v3") {
            None if path == "/openapi/v2" => Some(&kept.v2),
            None => None,
            Some(rest) => kept.v3.get(rest.strip_prefix('/').unwrap_or(rest)),
        };
        let document = document.ok_or_else(ApiError::no_such_resource)?;
        let hash = http.query_string().split('&').find_map(|pair| pair.strip_prefix("hash="));
        match hash {
            Some(hash) if hash != document.hash => {
                let place = format!("{path}?hash={}", document.hash);
                Ok(HttpResponse::MovedPermanently().insert_header(("location", place)).finish())
            }
            hash => document.send(http, hash.is_some()),
        }
    }
}

impl Kept {
    fn render(registry: &Registry) -> Self {
        let texts = Descriptions::open();
        let mut v3 = BTreeMap::new();
        for place in openapi::places(registry) {
            let document = openapi::document(registry, &place.group, &place.version, &texts);
            let Some(document) = document else { continue };
            let protobuf = gnostic::v3(&document);
            v3.insert(place.path, Document::of(&document, Some((V3, protobuf))));
        }
        let names = v3.iter().map(|(path, document)| (path.as_str(), document.hash.as_str()));
        let index = Document::of(&openapi::index(names), None);
        v3.insert(String::new(), index);
        let swagger = openapi::swagger(registry, &texts);
        let v2 = Document::of(&swagger, Some((V2, gnostic::v2(&swagger))));
        Self { v3, v2 }
    }
}

impl Document {
    fn of(document: &Value, protobuf: Option<(&'static str, Vec<u8>)>) -> Self {
        let json = json::to_vec(document);
        let hash = digest(&json);
        let protobuf = protobuf.map(|(media, bytes)| (media, compressed(&bytes)));
        Self { json: compressed(&json), hash, protobuf }
    }

    fn send(&self, http: &HttpRequest, by_hash: bool) -> Result<HttpResponse, ApiError> {
        let (media, bytes) = self.form(accepted(http)).ok_or_else(|| {
            ApiError::not_acceptable(self.protobuf.as_ref().map_or(JSON, |(media, _)| media))
        })?;
        let tag = format!("\"{}\"", self.hash);
        let mut response = HttpResponse::Ok();
        response
            .insert_header((header::ETAG, tag.as_str()))
            .insert_header((header::VARY, "Accept, Accept-Encoding"));
        if by_hash {
            // What has another content has another hash.
            response.insert_header((header::CACHE_CONTROL, "public, immutable, max-age=31536000"));
        } else {
            response.insert_header((header::CACHE_CONTROL, "no-cache, private"));
        }
        if is_known(http, &tag) {
            return Ok(response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish());
        }
        response.content_type(media);
        if takes_gzip(http) {
            let gzip = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return Ok(response.insert_header(gzip).body(bytes));
        }
        let mut plain = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).map_err(ApiError::internal)?;
        Ok(response.body(plain))
    }

    /// The first accepted form that there is. Spec: clients write a protobuf form's version with `@` or with a dot.
    fn form(&self, accept: &str) -> Option<(&'static str, Bytes)> {
        let json = || Some((JSON, self.json.clone()));
        if accept.trim().is_empty() {
            return json();
        }
        accept.split(',').find_map(|item| {
            let media = item.split(';').next().unwrap_or_default().trim().replace('@', ".");
            match (media.as_str(), &self.protobuf) {
                (JSON | "application/*" | "*/*", _) => json(),
                (media, Some((own, bytes))) if media == *own => Some((*own, bytes.clone())),
                _ => None,
            }
        })
    }
}

fn accepted(http: &HttpRequest) -> &str {
    http.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether the client has what this tag names.
pub(crate) fn is_known(http: &HttpRequest, tag: &str) -> bool {
    let known = http.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        let mut tags = known.split(',').map(|one| one.trim().trim_start_matches("W/"));
        tags.any(|one| one == tag || one == "*")
    })
}

pub(crate) fn takes_gzip(http: &HttpRequest) -> bool {
    let accepted = http.headers().get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.next().is_none_or(|weight| weight != "q=0")
    })
}

/// Spec: the hashes of `/openapi/v3` are SHA-512 in capital hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha512::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}

fn compressed(bytes: &[u8]) -> Bytes {
    let pack = |bytes: &[u8]| -> io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes)?;
        packer.finish()
    };
    // Memory takes everything.
    pack(bytes).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
