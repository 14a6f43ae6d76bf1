//! The format, parts of lines, and rotation.

use std::{fs, path::PathBuf};

use actors_core::Wall;
use tempfile::TempDir;

use super::{
    LINE_LEN_MAX, LOG_SIZE_MAX, LogWriter,
    OutputStream::{Stderr, Stdout},
};

struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("web/0.log")
    }
}

#[test]
fn lines_have_time_stream_and_tag() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(&scratch.log(), LOG_SIZE_MAX).unwrap();
    log.write(Stdout, b"one\ntw", Wall(0));
    log.write(Stderr, b"oops\n", Wall(1));
    log.write(Stdout, b"o\n\nend", Wall(2));
    log.finish(Wall(3));
    let expected = "\
1970-01-01T00:00:00.000000000Z stdout F one
1970-01-01T00:00:00.000000001Z stderr F oops
1970-01-01T00:00:00.000000002Z stdout F two
1970-01-01T00:00:00.000000002Z stdout F 
1970-01-01T00:00:00.000000003Z stdout F end
";
    assert_eq!(fs::read_to_string(scratch.log()).unwrap(), expected);
    assert_eq!(log.lost(), 0);
}

#[test]
fn a_long_line_comes_in_parts() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(&scratch.log(), LOG_SIZE_MAX).unwrap();
    log.write(Stdout, &vec![b'a'; LINE_LEN_MAX + 10], Wall(0));
    log.write(Stdout, &vec![b'b'; LINE_LEN_MAX], Wall(0));
    log.write(Stdout, b"\n", Wall(0));
    let text = fs::read_to_string(scratch.log()).unwrap();
    let parts: Vec<(char, usize)> = text
        .lines()
        .map(|line| {
            let text = line.split_once("stdout ").unwrap().1;
            (text.chars().next().unwrap(), text.len() - 2)
        })
        .collect();
    assert_eq!(parts, [('P', LINE_LEN_MAX), ('P', LINE_LEN_MAX), ('F', 10)]);
}

#[test]
fn a_full_file_makes_room_and_the_oldest_goes() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(&scratch.log(), 100).unwrap();
    for number in 0..8 {
        log.write(Stdout, format!("line {number} with some text\n").as_bytes(), Wall(0));
    }
    let names = ["0.log", "0.log.1", "0.log.2", "0.log.3", "0.log.4"];
    let texts = names.map(|name| fs::read_to_string(scratch.log().with_file_name(name)).unwrap());
    let firsts = texts.map(|text| text.split("line ").nth(1).unwrap().chars().next().unwrap());
    assert_eq!(firsts, ['7', '6', '5', '4', '3']);
    assert_eq!(fs::read_dir(scratch.log().parent().unwrap()).unwrap().count(), 5);
}
