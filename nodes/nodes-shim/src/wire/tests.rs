//! Frames survive the way; their bytes are fixed; wrong ones are refused.

use actors_core::Mono;

use super::{
    ClientFrame, Decoder, FRAME_LEN_MAX, FrameError, OutputStream, Reply, Request, ServerFrame,
    encode,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A change of these bytes is a change of the protocol: raise `VERSION`, for shims outlive their agent's version.
#[test]
fn the_bytes_of_frames_are_fixed() {
    let check = |frame: &ClientFrame, bytes: &str| assert_eq!(hex(&encode(frame).unwrap()), bytes);
    check(&ClientFrame { id: 1, request: Request::Info }, "020000000100");
    let start = Request::Start { container: "a".to_owned() };
    check(&ClientFrame { id: 2, request: start }, "0400000002020161");
    check(&ClientFrame { id: 3, request: Request::Input(b"hi".to_vec()) }, "050000000307026869");
    let deadline = Request::SetDeadline { at: Some(Mono(300)) };
    check(&ClientFrame { id: 4, request: deadline }, "05000000040d01ac02");
    let reply = Reply::Output { stream: OutputStream::Stderr, bytes: b"x".to_vec() };
    let frame = ServerFrame { id: 5, reply };
    assert_eq!(hex(&encode(&frame).unwrap()), "050000000503010178");
}

#[test]
fn frames_are_found_however_they_arrive() {
    let first = ClientFrame { id: 1, request: Request::Status };
    let second = ClientFrame { id: 2, request: Request::Input(vec![7; 1000]) };
    let bytes = [encode(&first).unwrap(), encode(&second).unwrap()].concat();
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for byte in bytes {
        decoder.push(&[byte]);
        found.extend(decoder.next_frame::<ClientFrame>().unwrap());
    }
    assert_eq!(found, [first, second]);
}

#[test]
fn what_is_no_frame_is_refused() {
    let mut decoder = Decoder::default();
    decoder.push(&u32::MAX.to_le_bytes());
    assert!(matches!(decoder.next_frame::<ClientFrame>(), Err(FrameError::Length(_))));
    let mut decoder = Decoder::default();
    decoder.push(&[2, 0, 0, 0, 0, 99]);
    assert!(matches!(decoder.next_frame::<ClientFrame>(), Err(FrameError::Content(_))));
    let long = ClientFrame { id: 1, request: Request::Input(vec![0; FRAME_LEN_MAX]) };
    assert!(matches!(encode(&long), Err(FrameError::Length(_))));
}
