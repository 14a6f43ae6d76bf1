//! Messages of members as bytes: a version, then postcard.
//!
//! Way in: [`write`], [`read`].  Invariant: any bytes are a message or an error.

use bytes::Bytes;
use mesh_member::MemberMessage;

/// The only version there is. A member that reads another drops the message: versions are told
/// apart before the contents are.
const VERSION: u8 = 1;

/// Why bytes are no message. They are dropped; messages repeat themselves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LetterError {
    /// Another version, or nothing at all.
    #[error("a message of members has an unknown version")]
    Version,
    /// Not what it should be.
    #[error("a message of members cannot be read")]
    Form(#[source] postcard::Error),
}

pub(crate) fn write(message: &MemberMessage) -> Option<Bytes> {
    postcard::to_extend(message, vec![VERSION]).map(Bytes::from).ok()
}

pub(crate) fn read(bytes: &[u8]) -> Result<MemberMessage, LetterError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(LetterError::Form),
        _ => Err(LetterError::Version),
    }
}

#[cfg(test)]
mod tests {
    use actors_core::Wall;
    use expect_test::{Expect, expect};
    use mesh_member::{LinkEnd, LinkStanding, MemberInfo, Opinion, OpinionOf, Standing};
    use mesh_quic::Role;

    use super::*;

    fn check(message: MemberMessage, golden: Expect) {
        let bytes = write(&message).unwrap();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        golden.assert_eq(&text);
        assert_eq!(read(&bytes).unwrap(), message);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn every_message_keeps_its_bytes() {
        let standing = Standing {
            node: "n2".into(),
            incarnation: Wall(7),
            flips: 3,
            damping: 2,
            has_left: false,
        };
        let link = LinkStanding::Down { why: LinkEnd::Reset, at: Wall(8) };
        check(
            MemberMessage::Hello {
                info: MemberInfo::new("n1", Role::Agent, Wall(5)),
                voters: vec!["n2".into()],
                wants_answer: true,
            },
            expect!["0100026e31010764656661756c7400000000000000000a0001026e3201"],
        );
        check(
            MemberMessage::Heartbeat {
                incarnation: Wall(5),
                deaf_ms: Some(2_100),
                standings: vec![standing.clone()],
            },
            expect!["01010a01b41001026e320e030200"],
        );
        check(MemberMessage::Ask { subjects: vec!["n2".into()] }, expect!["010201026e32"]);
        check(
            MemberMessage::Answer {
                deaf_ms: None,
                opinions: vec![OpinionOf {
                    subject: "n2".into(),
                    incarnation: Wall(7),
                    silence_ms: 2_500,
                    was_heard: true,
                    elsewhere_ms: Some(900),
                    link: link.clone(),
                }],
            },
            expect!["01030001026e320ec41301018407020110"],
        );
        let opinion =
            Opinion { by: "n3".into(), at: Wall(9), silence_ms: 3_000, was_heard: true, link };
        check(
            MemberMessage::Verdict { standing, evidence: vec![opinion] },
            expect!["0104026e320e03020001026e3312b81701020110"],
        );
        check(MemberMessage::Leaving { incarnation: Wall(5) }, expect!["01050a"]);
    }

    #[test]
    fn another_version_is_refused() {
        let error = read(&[2, 0]).map_err(|error| error.to_string());
        assert_eq!(error, Err("a message of members has an unknown version".to_owned()));
    }
}
