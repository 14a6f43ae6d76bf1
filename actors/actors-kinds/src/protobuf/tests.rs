//! Empty values, and bytes that are nothing.

use actors_object::json;
use bytes::Bytes;

use super::{Envelope, ProtobufError, decode, encode};
use crate::Registry;

#[test]
fn an_empty_scalar_is_kept_only_where_it_means_something() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("apps.v1.DeploymentSpec");
    let tree = json::from_slice(br#"{"replicas":0,"minReadySeconds":0,"paused":false}"#);
    let bytes = encode(registry.schema(), &shape, &tree.expect("JSON")).expect("a tree");
    let read = decode(registry.schema(), &shape, &bytes).expect("a message");
    assert_eq!(json::to_string(&read), r#"{"replicas":0}"#);
}

proptest::proptest! {
    #[test]
    fn no_bytes_crash_the_reader(bytes: Vec<u8>) {
        let registry = Registry::builtin().expect("the tables are good");
        for name in ["core.v1.Pod", "apps.v1.Deployment", "meta.v1.Status"] {
            let shape = registry.shape_named(name);
            let read = decode(registry.schema(), &shape, &bytes);
            if let Ok(tree) = read {
                // What was read can be written, and is then read as the same.
                let again = encode(registry.schema(), &shape, &tree).expect("it has the shape");
                proptest::prop_assert_eq!(decode(registry.schema(), &shape, &again), Ok(tree));
            }
        }
        let body = Bytes::from([b"k8s\0".as_slice(), &bytes].concat());
        let _any_answer = Envelope::open(&body);
        proptest::prop_assert_eq!(Envelope::open(&Bytes::new()), Err(ProtobufError::NoMagic));
    }
}
