//! Whatever is sent, the door answers.

use actors_core::Rng;

use super::harness::Scene;

const BODIES: [(&str, &str); 6] = [
    (
        "POST /api/v1/namespaces/default/pods",
        r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}]}],"tolerations":[{"key":"a"}],"volumes":[{"name":"v","projected":{"sources":[{}]}}]}}"#,
    ),
    (
        "POST /api/v1/namespaces/default/services",
        r#"{"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.43.0.9","ports":[{"port":80,"nodePort":30080}]}}"#,
    ),
    (
        "STRATEGIC /api/v1/namespaces/default/configmaps/a",
        r#"{"metadata":{"$patch":"merge","finalizers":["a/b"],"$setElementOrder/finalizers":["a/b"]},"data":{"$patch":"replace","x":"y"}}"#,
    ),
    (
        "JSON /api/v1/namespaces/default/configmaps/a",
        r#"[{"op":"add","path":"/data/x","value":"y"},{"op":"copy","from":"/data","path":"/metadata/labels"},{"op":"move","from":"/data/x","path":"/data/z"}]"#,
    ),
    (
        "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        r#"{"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"u"}]}"#,
    ),
    (
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        r#"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","namespace":"default"}}}"#,
    ),
];

/// Texts that stand in for parts of a body.
const PARTS: [&str; 10] = [
    "null",
    "[]",
    "{}",
    "-1",
    "1e300",
    "\"\"",
    "\"\\u0000\"",
    "[[[]]]",
    "true",
    "{\"$patch\":\"delete\"}",
];

/// Replaces one value of a body by something that does not belong there.
fn swap(body: &str, rng: &mut Rng) -> String {
    let places: Vec<usize> = body.match_indices(':').map(|(at, _)| at + 1).collect();
    let (Some(at), Some(part)) = (rng.pick(&places), rng.pick(&PARTS)) else {
        return body.to_owned();
    };
    let rest = &body[*at..];
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    format!("{}{part}{}", &body[..*at], &rest[end..])
}

/// Flips some bytes, or cuts the body short.
fn mutilate(body: &str, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    for _ in 0..=rng.below(3) {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0);
        bytes[at] = u8::try_from(rng.below(256)).unwrap_or(0);
    }
    if rng.chance(200_000) {
        bytes.truncate(usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0));
    }
    bytes
}

#[test]
fn no_body_brings_it_down_or_is_called_our_fault() {
    let mut rng = Rng::from_number(23);
    let mut scene = Scene::new();
    let map = "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: a}\n  data: {k: v}\n";
    scene.run(map);
    for (line, body) in BODIES {
        for _ in 0..200 {
            let swapped = swap(body, &mut rng);
            let bytes = if rng.chance(500_000) {
                swapped.into_bytes()
            } else {
                mutilate(&swapped, &mut rng)
            };
            let response = scene.request(line, &bytes);
            assert_ne!(response.code, 500, "{line} {}", String::from_utf8_lossy(&bytes));
        }
    }
}
