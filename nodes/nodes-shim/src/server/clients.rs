//! Connections: accepting, reading frames, writing answers, closing what misbehaves.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use nix::poll::PollFlags;

use super::{Server, note};
use crate::wire::{BACKLOG_MAX, ClientFrame, Decoder, Refusal, Reply, ServerFrame, encode};

/// A client with more unread bytes gets no further output of its streams until it has read.
const ROOM_MAX: usize = 256 << 10;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    decoder: Decoder,
    unsent: VecDeque<u8>,
    is_broken: bool,
}

/// Whom an answer goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyTo {
    pub client: u32,
    pub id: u64,
}

impl Client {
    pub(super) fn backlog(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.unsent.len() < ROOM_MAX
    }

    fn send(&mut self, frame: &ServerFrame) {
        match encode(frame) {
            Ok(bytes) if self.unsent.len() + bytes.len() <= BACKLOG_MAX => {
                self.unsent.extend(bytes);
                self.flush();
            }
            _ => self.is_broken = true,
        }
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() && !self.is_broken {
            let (front, _) = self.unsent.as_slices();
            match self.stream.write(front) {
                Ok(count) if count > 0 => {
                    self.unsent.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.is_broken = true,
            }
        }
        if self.unsent.is_empty() {
            self.unsent = VecDeque::new();
        }
    }

    /// Reads once and returns the frames that are complete.
    fn read(&mut self) -> Vec<ClientFrame> {
        let mut buffer = [0_u8; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.is_broken = true,
            Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.is_broken = true,
        }
        let mut frames = Vec::new();
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    note(&format!("a client is closed: {error}"));
                    self.is_broken = true;
                    break;
                }
            }
        }
        frames
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Server {
    pub(super) fn accept(&mut self) {
        match self.listener.accept() {
            Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                let id = self.next_client;
                self.next_client = self.next_client.wrapping_add(1);
                let (decoder, unsent) = (Decoder::default(), VecDeque::new());
                self.clients.insert(id, Client { stream, decoder, unsent, is_broken: false });
            }
            // The client has gone again.
            _ => {}
        }
    }

    pub(super) fn handle_client(&mut self, id: u32, flags: PollFlags) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if flags.contains(PollFlags::POLLOUT) {
            client.flush();
        }
        let has_hung_up = flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
        if flags.contains(PollFlags::POLLIN) {
            for frame in client.read() {
                self.handle_request(ReplyTo { client: id, id: frame.id }, frame.request);
            }
        } else if has_hung_up {
            client.is_broken = true;
        }
    }

    pub(super) fn reply(&mut self, to: ReplyTo, reply: Reply) {
        if let Some(client) = self.clients.get_mut(&to.client) {
            client.send(&ServerFrame { id: to.id, reply });
        }
    }

    pub(super) fn refuse(&mut self, to: ReplyTo, reason: Refusal, message: impl Into<String>) {
        self.reply(to, Reply::Refused { reason, message: message.into() });
    }

    /// Whether a process does not take this client's input as fast as it comes.
    pub(super) fn is_input_full(&self, client: u32) -> bool {
        let mut sessions = self.sessions.iter().filter(|(key, _)| key.client == client);
        sessions.any(|(_, session)| {
            session.io.is_input_full()
                || session.attached_to().is_some_and(|id| {
                    self.containers.get(id).is_some_and(|container| container.io.is_input_full())
                })
        })
    }

    /// Closes connections that have ended or misbehaved, with their streams.
    pub(super) fn close_broken_clients(&mut self) {
        let broken: Vec<u32> =
            self.clients.iter().filter(|(_, client)| client.is_broken).map(|(id, _)| *id).collect();
        for id in broken {
            let keys: Vec<_> =
                self.sessions.keys().filter(|key| key.client == id).copied().collect();
            for key in keys {
                self.cancel_session(key);
            }
            if let Some(client) = self.clients.remove(&id) {
                // A container that was not started yet has a copy of the descriptor: closing ours is not enough.
                client.stream.shutdown(Shutdown::Both).ok();
            }
        }
    }
}
