//! Many watchers in one thread: they read what they are sent, and date it.
//!
//! Way in: [`Crowd::open`], [`Crowd::run`].  A change says when it was made: `"at":"MICROSECONDS"`.

use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
    os::fd::AsFd as _,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ClientConnection;

use super::{super::uptime, wire::Dialer};

/// What stands before the time of a change.
const MARK: &[u8] = br#""at":""#;

/// Open watches.
pub(crate) struct Crowd(Vec<Watcher>);

struct Watcher {
    tls: ClientConnection,
    socket: TcpStream,
    /// The end of what was read, in case that a mark is cut in two.
    tail: Vec<u8>,
    is_open: bool,
}

impl Crowd {
    /// Opens this many watches by the same request.
    pub(crate) fn open(dialer: &Dialer, count: usize, request: &[u8]) -> Result<Self> {
        let mut watchers = Vec::with_capacity(count);
        for _ in 0..count {
            let mut link = dialer.connect()?;
            link.send(request)?;
            link.head()?;
            let (tls, socket) = link.into_parts();
            socket.set_nonblocking(true)?;
            watchers.push(Watcher { tls, socket, tail: Vec::new(), is_open: true });
        }
        Ok(Self(watchers))
    }

    /// Reads until told to stop; how old each change was when it arrived, in milliseconds.
    pub(crate) fn run(&mut self, stop: &AtomicBool) -> Result<Vec<f64>> {
        let mut ages = Vec::new();
        let mut bytes = vec![0; 256 * 1024];
        while !stop.load(Ordering::Relaxed) {
            let ready: Vec<usize> = {
                let waits = self.0.iter().map(|watcher| {
                    let flags =
                        if watcher.is_open { PollFlags::POLLIN } else { PollFlags::empty() };
                    PollFd::new(watcher.socket.as_fd(), flags)
                });
                let mut waits: Vec<PollFd<'_>> = waits.collect();
                poll(&mut waits, PollTimeout::from(50_u8))?;
                let found = waits.iter().enumerate();
                found.filter(|(_, wait)| wait.any().unwrap_or(false)).map(|(at, _)| at).collect()
            };
            for at in ready {
                if let Some(watcher) = self.0.get_mut(at) {
                    watcher.read(&mut bytes, &mut ages)?;
                }
            }
        }
        Ok(ages)
    }

    /// How many were cut off.
    pub(crate) fn closed(&self) -> usize {
        self.0.iter().filter(|watcher| !watcher.is_open).count()
    }
}

impl Watcher {
    fn read(&mut self, bytes: &mut [u8], ages: &mut Vec<f64>) -> Result<()> {
        match self.tls.read_tls(&mut self.socket) {
            Ok(0) => self.is_open = false,
            Ok(_) => {
                self.tls.process_new_packets()?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => self.is_open = false,
        }
        loop {
            match self.tls.reader().read(bytes) {
                Ok(0) => self.is_open = false,
                Ok(count) => {
                    self.date(&bytes[..count], ages)?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.is_open = false,
            }
            return Ok(());
        }
    }

    /// Dates every change in what was read.
    fn date(&mut self, read: &[u8], ages: &mut Vec<f64>) -> Result<()> {
        let now = uptime()? * 1e6;
        self.tail.extend_from_slice(read);
        let mut from = 0;
        while let Some(at) = find(&self.tail[from..], MARK) {
            let digits = from + at + MARK.len();
            let Some(end) = self.tail[digits..].iter().position(|byte| *byte == b'"') else {
                break;
            };
            let text = std::str::from_utf8(&self.tail[digits..digits + end])?;
            ages.push((now - text.parse::<f64>()?) / 1e3);
            from = digits + end;
        }
        let kept = from.max(self.tail.len().saturating_sub(64));
        self.tail.drain(..kept);
        Ok(())
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let mut from = 0;
    // Most bytes are no quote: passed over fast.
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == mark[0]) {
        if bytes[from + at..].starts_with(mark) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
