//! A kind without rules of its own is one row, and no Rust.

use actors_kinds::Registry;
use expect_test::expect;

use super::harness::Scene;

const ROW: &str = "\
type demo.v1.Widget demo.dev/v1/Widget
 kind string -
 apiVersion string -
 metadata meta.v1.ObjectMeta 1
 size int32 2
resource demo.dev v1 widgets Widget demo.v1.Widget namespaced create,delete,get,list,patch,update,watch
resource demo.dev v1 blobs Blob any cluster create,delete,get,list,patch,update,watch generation
 status demo.dev/v1/Blob any get,patch,update
";

#[test]
fn a_row_is_all_that_a_kind_needs() {
    let registry = Registry::builtin().and_then(|registry| registry.with_rows(ROW));
    let mut scene = Scene::with_registry(registry.expect("the row is good"));
    scene.run(
        "
        POST /apis/demo.dev/v1/namespaces/default/widgets
          metadata: {name: w}
          size: 3
        MERGE /apis/demo.dev/v1/namespaces/default/widgets/w
          size: big
        MERGE /apis/demo.dev/v1/namespaces/default/widgets/w
          shape: round
        GET /apis/demo.dev/v1/widgets
        POST /apis/demo.dev/v1/blobs
          metadata: {name: b}
          spec: {anything: [1, {goes: true}]}
          status: {not: here}
        ? spec
        ? status
        MERGE /apis/demo.dev/v1/blobs/b/status
          status: {phase: Done}
        ? status
        ? metadata.generation
        STRATEGIC /apis/demo.dev/v1/blobs/b
          spec: {x: 1}
        POST /apis/demo.dev/v1/blobs
          metadata: {name: c, labels: [1]}
        DELETE /apis/demo.dev/v1/blobs/b
        ",
    );
    expect![[r#"
        POST /apis/demo.dev/v1/namespaces/default/widgets
          201 Widget w @101
          + /registry/demo.dev/widgets/default/w
        MERGE /apis/demo.dev/v1/namespaces/default/widgets/w
          400 BadRequest: Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal string into field size of type int32
        MERGE /apis/demo.dev/v1/namespaces/default/widgets/w
          400 BadRequest: Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "shape"
        GET /apis/demo.dev/v1/widgets
          200 WidgetList [w]
        POST /apis/demo.dev/v1/blobs
          201 Blob b @102
          + /registry/demo.dev/blobs/b
            spec = {"anything":[1,{"goes":true}]}
            status = null
        MERGE /apis/demo.dev/v1/blobs/b/status
          200 Blob b @103
          + /registry/demo.dev/blobs/b
            status = {"phase":"Done"}
            metadata.generation = 1
        STRATEGIC /apis/demo.dev/v1/blobs/b
          415 UnsupportedMediaType: the body has a media type that is not supported; supported are: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml
        POST /apis/demo.dev/v1/blobs
          400 BadRequest: Blob in version "v1" cannot be handled as a Blob: json: cannot unmarshal array into field labels of type object
        DELETE /apis/demo.dev/v1/blobs/b
          200 Success
          - /registry/demo.dev/blobs/b
    "#]].assert_eq(scene.trace());
}
