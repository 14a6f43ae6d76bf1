//! Requests as other programs write them (made with OpenSSL), and what signers say of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

const JANE: &[&str] = &[
    "MIHoMIGOAgEAMCwxDTALBgNVBAoMBGRldnMxDDAKBgNVBAoMA29wczENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49",
    "AgEGCCqGSM49AwEHA0IABNhELcusgr/qazzgNORTDhl5ZUw1ElHkmddTJCdrdqU8wSni/kFZs5XWhenIbaJrH7x0",
    "FQa0NDT4uNckhCrdabGgADAKBggqhkjOPQQDAgNJADBGAiEAkjuiBhMbGCNoPOz8jgDYz211W8LdmPBJuE1K3ZlX",
    "JvQCIQCW77xLJCHn+spZ5pvdWGBlflTp75lxVcl58dSfOYDOxg==",
];

const NODE: &[&str] = &[
    "MIHsMIGSAgEAMDAxFTATBgNVBAoMDHN5c3RlbTpub2RlczEXMBUGA1UEAwwOc3lzdGVtOm5vZGU6bjEwWTATBgcq",
    "hkjOPQIBBggqhkjOPQMBBwNCAATYRC3LrIK/6ms84DTkUw4ZeWVMNRJR5JnXUyQna3alPMEp4v5BWbOV1oXpyG2i",
    "ax+8dBUGtDQ0+LjXJIQq3WmxoAAwCgYIKoZIzj0EAwIDSQAwRgIhAKREB6qq+skK6Ju7EIke8GChQstUtWeJRdIe",
    "BEoNMCUxAiEAqT/hPi63ZV1Tl61SExviDffRMs7wkd0hF0mP5bQoMbg=",
];

const SERVING: &[&str] = &[
    "MIIBEjCBuAIBADAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5c3RlbTpub2RlOm4xMFkwEwYH",
    "KoZIzj0CAQYIKoZIzj0DAQcDQgAE2EQty6yCv+prPOA05FMOGXllTDUSUeSZ11MkJ2t2pTzBKeL+QVmzldaF6cht",
    "omsfvHQVBrQ0NPi41ySEKt1psaAmMCQGCSqGSIb3DQEJDjEXMBUwEwYDVR0RBAwwCoICbjGHBAoAAAEwCgYIKoZI",
    "zj0EAwIDSQAwRgIhAOsK/MaUDBJ228RWCMja4Q3oVyckgNBog8plouRaZCHKAiEA/7hE2Fbv6SuQgi7k26L7IuA3",
    "AAG4NrDg4q9fMeUZwpU=",
];

const ODD: &[&str] = &[
    "MIH1MIGdAgEAMAwxCjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATYRC3LrIK/6ms84DTkUw4Z",
    "eWVMNRJR5JnXUyQna3alPMEp4v5BWbOV1oXpyG2iax+8dBUGtDQ0+LjXJIQq3WmxoC8wLQYJKoZIhvcNAQkOMSAw",
    "HjAcBgNVHREEFTAThgpzcGlmZmU6Ly9hgQVhQGIuYzAKBggqhkjOPQQDAgNHADBEAiBlIBiU5crPJ1vWn/2sE73l",
    "k5KEq0RoWdRxqh48kI1+gQIgBD+Rmaz7p8kNj6ebUIJs5RrLUuNtae1zuwmusySVxSI=",
];

/// As `spec.request` holds it.
fn pem(body: &[&str]) -> String {
    let text = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        body.join("\n")
    );
    STANDARD.encode(text)
}

fn read(body: &[&str]) -> Wanted {
    Wanted::read(&pem(body)).expect("a request")
}

#[test]
fn the_subject_and_the_names_are_read() {
    let jane = read(JANE);
    assert_eq!((jane.common_name.as_str(), jane.organizations.len()), ("jane", 2));
    assert_eq!(jane.organizations, ["devs", "ops"]);
    assert!(!jane.is_node() && read(NODE).is_node());
    let serving = read(SERVING);
    assert_eq!((serving.dns_names.as_slice(), serving.addresses), (&["n1".to_owned()][..], 1));
    let odd = read(ODD);
    assert_eq!((odd.uris, odd.emails, odd.addresses), (1, 1, 0));
}

#[test]
fn each_signer_has_its_rules() {
    let (client, server) = (["client auth", "digital signature"], ["server auth"]);
    assert_eq!(fault(CLIENT, &read(JANE), &client), None);
    assert!(fault(CLIENT, &read(JANE), &server).is_some());
    assert!(fault(CLIENT, &read(JANE), &["client auth", "server auth"]).is_some());
    assert_eq!(fault(NODE_CLIENT, &read(NODE), &client), None);
    assert!(fault(NODE_CLIENT, &read(JANE), &client).is_some());
    assert!(fault(NODE_CLIENT, &read(SERVING), &client).is_some());
    assert!(fault(NODE_CLIENT, &read(NODE), &["digital signature"]).is_some());
    assert_eq!(fault(NODE_SERVING, &read(SERVING), &server), None);
    assert!(fault(NODE_SERVING, &read(NODE), &server).is_some());
    assert!(fault(NODE_SERVING, &read(SERVING), &client).is_some());
    assert_eq!(fault("example.com/own", &read(ODD), &[]), None);
}

#[test]
fn what_is_no_request_is_not_read() {
    let whole = pem(SERVING);
    assert_eq!(Wanted::read(""), None);
    assert_eq!(Wanted::read(&STANDARD.encode("-----BEGIN CERTIFICATE-----\n")), None);
    assert_eq!(Wanted::read(&whole[..whole.len() / 2]), None);
    // Cut anywhere, nothing is read and nothing panics.
    let der = STANDARD.decode(SERVING.concat()).expect("base64");
    for len in 0..der.len() {
        assert_eq!(Wanted::read(&pem(&[&STANDARD.encode(&der[..len])])), None, "{len}");
    }
    for at in 0..der.len() {
        let mut broken = der.clone();
        broken[at] ^= 0x55;
        // It may still be read, as something else; it must not panic.
        drop(Wanted::read(&pem(&[&STANDARD.encode(&broken)])));
    }
    let two = STANDARD.decode(&whole).expect("base64").repeat(2);
    assert_eq!(Wanted::read(&STANDARD.encode(two)), None);
}
