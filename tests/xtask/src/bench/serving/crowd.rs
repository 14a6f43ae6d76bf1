//! Many watchers in one thread: they read what they are sent, and date it.
//!
//! Way in: [`Crowd::open`], [`Crowd::run`]; [`change`] makes what they are sent.
//! As cheap as it can be, for it shares the processors with what it measures: records are decrypted where they were read,
//! and an event is found by its end, before which the time of the change stands at a fixed place.

use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Result;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use super::{super::uptime, ages::Ages, records::Records, wire::Dialer};

/// What stands before the time of a change.
const MARK: &[u8] = br#""at":""#;

/// Digits of a time, in microseconds.
const DIGITS: usize = 16;

/// What makes a change as large as it should be.
const PAD: usize = 120;

/// What stands between the time and the end of a line: the pad's name, its value, and the ends of the data, of the object
/// and of the event.
const BEHIND: usize = r#"","pad":""#.len() + PAD + r#""}}}"#.len();

/// From the mark to the end of the line.
const LAST: usize = MARK.len() + DIGITS + BEHIND;

/// Read at once.
const BUFFER: usize = 256 * 1024;

/// A change of now, as a patch of a ConfigMap.
pub(crate) fn change() -> Result<String> {
    let (at, pad) = ((uptime()? * 1e6) as u64, "x".repeat(PAD));
    Ok(format!(r#"{{"data":{{"at":"{at:0DIGITS$}","pad":"{pad}"}}}}"#))
}

/// Open watches.
pub(crate) struct Crowd {
    watchers: Vec<Watcher>,
    poll: Poll,
}

struct Watcher {
    records: Records,
    socket: TcpStream,
    /// What of a record has come.
    begun: Vec<u8>,
    /// The end of what was read, in case that an event is cut in two.
    tail: Vec<u8>,
    is_open: bool,
}

impl Crowd {
    /// Opens this many watches by the same request, which must not be answered by anything but changes.
    pub(crate) fn open(dialer: &Dialer, count: usize, request: &[u8]) -> Result<Self> {
        let poll = Poll::new()?;
        let mut watchers = Vec::with_capacity(count);
        for number in 0..count {
            let mut link = dialer.connect()?;
            link.send(request)?;
            link.head()?;
            let (tls, socket) = link.into_parts()?;
            socket.set_nonblocking(true)?;
            let mut source = SourceFd(&socket.as_raw_fd());
            poll.registry().register(&mut source, Token(number), Interest::READABLE)?;
            let (begun, tail) = (Vec::new(), Vec::new());
            watchers.push(Watcher {
                records: Records::of(tls)?,
                socket,
                begun,
                tail,
                is_open: true,
            });
        }
        Ok(Self { watchers, poll })
    }

    /// Reads until told to stop; how old each change was when it arrived.
    pub(crate) fn run(&mut self, stop: &AtomicBool) -> Result<Ages> {
        let (mut ages, mut buffer) = (Ages::default(), vec![0; BUFFER]);
        let mut events = Events::with_capacity(1_024);
        while !stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(Duration::from_millis(50))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if let Some(watcher) = self.watchers.get_mut(event.token().0) {
                    watcher.read(&mut buffer, &mut ages)?;
                }
            }
        }
        Ok(ages)
    }

    /// How many were cut off.
    pub(crate) fn closed(&self) -> usize {
        self.watchers.iter().filter(|watcher| !watcher.is_open).count()
    }
}

impl Watcher {
    /// Reads all there is.
    fn read(&mut self, buffer: &mut [u8], ages: &mut Ages) -> Result<()> {
        while self.is_open {
            let before = self.begun.len();
            buffer[..before].copy_from_slice(&self.begun);
            let room = &mut buffer[before..];
            let (count, is_all) = match self.socket.read(room) {
                Ok(0) => {
                    self.is_open = false;
                    return Ok(());
                }
                Ok(count) => (count, count < room.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => {
                    self.is_open = false;
                    return Ok(());
                }
            };
            let (now, tail) = (uptime()? * 1e6, &mut self.tail);
            let read = &mut buffer[..before + count];
            let opened = self.records.open(read, |content| date(content, tail, now, ages))?;
            self.begun.clear();
            self.begun.extend_from_slice(&read[opened.used..]);
            self.is_open = !opened.is_over;
            if is_all {
                break;
            }
        }
        Ok(())
    }
}

/// Dates every change that ends in this content; `tail` is the end of what came before, and then of this.
fn date(content: &[u8], tail: &mut Vec<u8>, now: f64, ages: &mut Ages) -> Result<()> {
    let mut from = 0;
    while let Some(ahead) = line_end(&content[from..]) {
        let end = from + ahead;
        from = end + 1;
        match end.checked_sub(LAST) {
            Some(start) => date_one(&content[start..end], now, ages)?,
            None => {
                tail.extend_from_slice(&content[..end]);
                let start = tail.len().saturating_sub(LAST);
                date_one(&tail[start..], now, ages)?;
                // What follows is found behind this.
                tail.truncate(tail.len() - end);
            }
        }
    }
    if content.len() >= LAST {
        tail.clear();
    }
    tail.extend_from_slice(&content[content.len().saturating_sub(LAST)..]);
    tail.drain(..tail.len().saturating_sub(LAST));
    Ok(())
}

/// Dates what stands before the end of a line, if it is a change.
fn date_one(last: &[u8], now: f64, ages: &mut Ages) -> Result<()> {
    if let Some(digits) = last.strip_prefix(MARK).and_then(|behind| behind.get(..DIGITS)) {
        let at: u64 = std::str::from_utf8(digits)?.parse()?;
        ages.add((now - at as f64).max(0.0) / 1e3);
    }
    Ok(())
}

/// Where the first line ends.
fn line_end(bytes: &[u8]) -> Option<usize> {
    const MANY: usize = 32;
    let is_end = |byte: &u8| *byte == b'\n';
    let (many, few) = bytes.as_chunks::<MANY>();
    // Without a way out between, which is many at once.
    let has = |bytes: &&[u8; MANY]| bytes.iter().fold(false, |has, byte| has | is_end(byte));
    let passed = many.iter().take_while(|bytes| !has(bytes)).count();
    let rest = many.get(passed).map_or(few, |bytes| bytes);
    rest.iter().position(is_end).map(|at| passed * MANY + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_dated_wherever_the_bytes_are_cut() -> Result<()> {
        let event = |number: u64| {
            let patch = format!(r#""at":"{number:0DIGITS$}","pad":"{}""#, "x".repeat(PAD));
            format!(
                "{{\"type\":\"MODIFIED\",\"object\":{{\"kind\":\"ConfigMap\",\"data\":{{{patch}}}}}}}\n"
            )
        };
        // As chunks have it: the length before, a line's end behind.
        let all: String =
            (0..9).map(|number| format!("2bc\r\n{}\r\n", event(number * 1_000))).collect();
        for size in 1..all.len() {
            let (mut ages, mut tail) = (Ages::default(), Vec::new());
            for content in all.as_bytes().chunks(size) {
                date(content, &mut tail, 10_000.0, &mut ages)?;
            }
            assert_eq!((ages.count(), ages.oldest()), (9, 10.0), "{size}");
        }
        assert!(change()?.contains(r#""at":"0"#));
        Ok(())
    }
}
