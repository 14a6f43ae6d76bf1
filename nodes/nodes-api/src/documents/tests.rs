//! What clients may keep, and in which forms they get it.

use actix_web::{body::to_bytes, http::StatusCode, test::TestRequest};

use super::*;

struct Answer {
    code: StatusCode,
    head: BTreeMap<String, String>,
    body: Bytes,
}

struct Scene(Documents, Arc<Registry>);

impl Scene {
    fn new() -> Self {
        Self(Documents::default(), Arc::new(Registry::builtin().expect("the tables are good")))
    }

    async fn get(&self, uri: &str, head: &[(&str, &str)]) -> Answer {
        let mut request = TestRequest::get().uri(uri);
        for pair in head {
            request = request.insert_header(*pair);
        }
        let http = request.to_http_request();
        let response = match self.0.answer(&self.1, &http).await {
            Ok(response) => response,
            Err(error) => crate::encode::error(&error),
        };
        let (code, headers) = (response.status(), response.headers().clone());
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let head = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        Answer { code, head, body }
    }
}

fn read(answer: &Answer) -> Value {
    json::from_slice(&answer.body).expect("JSON")
}

#[actix_web::test]
async fn the_index_leads_to_documents_that_never_change() {
    let scene = Scene::new();
    let index = scene.get("/openapi/v3", &[("accept", "application/json, */*")]).await;
    let index = read(&index);
    let place = index.str_at(&["paths", "apis/apps/v1", "serverRelativeURL"]).expect("indexed");
    let answer = scene.get(place, &[("accept", JSON)]).await;
    assert_eq!(answer.code, 200);
    assert!(answer.head["cache-control"].contains("immutable"), "{:?}", answer.head);
    let hash = place.rsplit_once('=').expect("a hash").1;
    assert_eq!(hash, digest(&answer.body));
    assert_eq!(answer.head["etag"], format!("\"{hash}\""));
    let schema = "io.k8s.api.apps.v1.DeploymentSpec";
    let said = ["components", "schemas", schema, "properties", "replicas", "description"];
    let document = read(&answer);
    assert!(document.str_at(&said).is_some_and(|text| text.contains("desired pods")));
    // Without its hash, a document is asked about again each time.
    let answer = scene.get("/openapi/v3/apis/apps/v1", &[]).await;
    assert!(answer.head["cache-control"].contains("no-cache"));
    let known = [("if-none-match", answer.head["etag"].as_str())];
    let answer = scene.get("/openapi/v3/apis/apps/v1", &known).await;
    assert_eq!((answer.code.as_u16(), answer.body.len()), (304, 0));
    let moved = scene.get("/openapi/v3/apis/apps/v1?hash=00", &[]).await;
    assert_eq!((moved.code.as_u16(), moved.head["location"].as_str()), (301, place));
    for uri in ["/openapi/v3/apis/none/v1", "/openapi/v3x", "/openapi", "/openapi/v4"] {
        assert_eq!(scene.get(uri, &[]).await.code, 404, "{uri}");
    }
}

#[actix_web::test]
async fn documents_are_sent_compressed_to_those_who_take_it() {
    let scene = Scene::new();
    let plain = scene.get("/openapi/v2", &[]).await;
    let packed = scene.get("/openapi/v2", &[("accept-encoding", "deflate, gzip;q=1")]).await;
    assert_eq!(packed.head["content-encoding"], "gzip");
    assert!(packed.body.len() * 5 < plain.body.len(), "{}", packed.body.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
    assert!(plain.head["vary"].contains("Accept-Encoding"));
    assert!(!plain.head.contains_key("content-encoding"));
    let refused = scene.get("/openapi/v2", &[("accept-encoding", "gzip;q=0")]).await;
    assert!(!refused.head.contains_key("content-encoding"));
}

#[actix_web::test]
async fn protobuf_is_sent_to_those_who_ask_for_it_in_either_spelling() {
    let scene = Scene::new();
    for (uri, asked, media) in [
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", V2),
        ("/openapi/v2", V2, V2),
        ("/openapi/v3/api/v1", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf", V3),
        (
            "/openapi/v3/api/v1",
            "application/com.github.proto-openapi.spec.v3.v1.0+protobuf,*/*",
            V3,
        ),
        ("/openapi/v3/api/v1", "text/html, application/*;q=0.1", JSON),
    ] {
        let answer = scene.get(uri, &[("accept", asked)]).await;
        assert_eq!((answer.code.as_u16(), answer.head["content-type"].as_str()), (200, media));
        assert!(answer.body.len() > 10_000, "{uri}");
    }
    for (uri, asked) in [("/openapi/v3", V3), ("/openapi/v2", V3), ("/openapi/v2", "text/html")] {
        assert_eq!(scene.get(uri, &[("accept", asked)]).await.code, 406, "{uri} {asked}");
    }
}
