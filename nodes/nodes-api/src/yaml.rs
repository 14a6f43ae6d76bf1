//! Answers in YAML: what is JSON otherwise, written as Kubernetes' tools write it.
//!
//! Way in: [`is_wanted`], [`turn`].  Bounds: an answer is held as a whole, so only up to [`BYTES_MAX`].
//! Spec: Kubernetes API concepts, "Resource encoding": objects and lists in `application/yaml`; watches are not.

use actix_web::{
    HttpResponse,
    body::{BoxBody, MessageBody as _, to_bytes_limited},
    http::header::{self, HeaderValue},
};
use actors_object::{ApiError, json, yaml};

use crate::encode;

/// Largest answer that is turned.
const BYTES_MAX: usize = 32 * 1024 * 1024;

pub(crate) const MEDIA: &str = "application/yaml";

/// Whether the first accepted form that is served is YAML.
pub(crate) fn is_wanted(accept: &str) -> bool {
    let media = |item: &str| item.split(';').next().unwrap_or_default().trim().to_owned();
    let served =
        [MEDIA, "application/json", "application/vnd.kubernetes.protobuf", "application/*", "*/*"];
    accept.split(',').map(media).find(|media| served.contains(&media.as_str())).as_deref()
        == Some(MEDIA)
}

/// The same answer in YAML. What is neither JSON nor ends by itself is left, or refused.
pub(crate) async fn turn(response: HttpResponse) -> HttpResponse {
    let media = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media.unwrap_or_default() {
        media if media.contains("stream=") => {
            return encode::error(&ApiError::not_acceptable("application/json;stream=watch"));
        }
        media if !media.starts_with("application/json") => return response,
        _ => {}
    }
    let (mut head, body) = response.into_parts();
    let limited = to_bytes_limited(body, BYTES_MAX).await;
    let Ok(Ok(bytes)) = limited else {
        let message = format!("the answer is too large for YAML: limit is {BYTES_MAX} bytes");
        return encode::error(&ApiError::too_large(message));
    };
    let limits = json::Limits { bytes: BYTES_MAX, ..json::Limits::default() };
    match json::parse(&bytes, limits) {
        Ok(parsed) => {
            head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
            head.set_body(BoxBody::new(yaml::to_block(&parsed.value)))
        }
        Err(_) => head.set_body(bytes.boxed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_served_wins() {
        for (accept, wanted) in [
            ("application/yaml", true),
            ("text/html, application/yaml;q=0.9, application/json", true),
            ("application/json, application/yaml", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(is_wanted(accept), wanted, "{accept}");
        }
    }

    #[actix_web::test]
    async fn json_becomes_yaml_and_streams_do_not() {
        let media = "application/json;stream=watch";
        let refused = turn(HttpResponse::Ok().content_type(media).body("{}")).await;
        assert_eq!(refused.status(), 406);
        let answer =
            HttpResponse::Created().content_type("application/json").body(r#"{"b":1,"a":"x"}"#);
        let turned = turn(answer).await;
        let media = turned.headers().get("content-type").map(HeaderValue::as_bytes);
        assert_eq!((turned.status().as_u16(), media), (201, Some(MEDIA.as_bytes())));
        let body = to_bytes_limited(turned.into_body(), 100).await.expect("small").expect("a body");
        assert_eq!(body, "a: x\nb: 1\n");
    }
}
