//! The streams of one process: pipes, or a terminal made inside the container.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, poll::PollFlags, unistd::pipe2};
use nodes_oci::container::Stdio;

use super::{Owner, Token};
use crate::{helper::set_nonblocking, wire::OutputStream};

/// When so much input waits for a process, its client is not read any more.
pub(super) const INPUT_MAX: usize = 256 << 10;

/// Our ends.
#[derive(Debug, Default)]
pub(super) struct Io {
    input: Option<File>,
    pending: VecDeque<u8>,
    /// The input ends when what is pending has been written.
    ends: bool,
    outputs: Vec<(OutputStream, File)>,
    console: Option<Console>,
    size: Option<(u16, u16)>,
    is_terminal: bool,
}

/// Where libcontainer sends the terminal's other end.
#[derive(Debug)]
struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Console {
    fn drop(&mut self) {
        // It is in the run directory, which goes as a whole.
        fs::remove_file(&self.path).ok();
    }
}

/// What a read found.
pub(super) enum Found {
    Bytes(usize),
    NothingNow,
    End,
}

impl Io {
    /// Pipes; our ends and the process's. Without input the process reads nothing from `/dev/null`.
    pub(super) fn pipes(has_input: bool) -> io::Result<(Self, Stdio)> {
        let (stdin, input) = if has_input {
            let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
            set_nonblocking(&ours)?;
            (theirs, Some(File::from(ours)))
        } else {
            (OwnedFd::from(File::open("/dev/null")?), None)
        };
        let (out_reader, stdout) = pipe2(OFlag::O_CLOEXEC)?;
        let (err_reader, stderr) = pipe2(OFlag::O_CLOEXEC)?;
        let mut outputs = Vec::new();
        for (stream, reader) in
            [(OutputStream::Stdout, out_reader), (OutputStream::Stderr, err_reader)]
        {
            set_nonblocking(&reader)?;
            outputs.push((stream, File::from(reader)));
        }
        Ok((Self { input, outputs, ..Self::default() }, Stdio::Streams { stdin, stdout, stderr }))
    }

    /// A terminal; [`Io::accept_terminal`] takes our end once the process is there.
    pub(super) fn terminal(socket: &Path) -> io::Result<(Self, Stdio)> {
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        let console = Some(Console { listener, path: socket.to_path_buf() });
        let io = Self { console, is_terminal: true, ..Self::default() };
        Ok((io, Stdio::Terminal(socket.to_path_buf())))
    }

    /// Takes the terminal that was sent, if this is to have one.
    pub(super) fn accept_terminal(&mut self) -> io::Result<()> {
        let Some(console) = self.console.take() else { return Ok(()) };
        let (sender, _) = console.listener.accept()?;
        let terminal = nodes_sys::receive_fd(&sender)?;
        set_nonblocking(&terminal)?;
        self.input = Some(File::from(terminal.try_clone()?));
        self.outputs.push((OutputStream::Stdout, File::from(terminal)));
        if let Some((rows, columns)) = self.size {
            self.resize(rows, columns)?;
        }
        Ok(())
    }

    pub(super) fn watch<'a>(
        &'a self,
        has_room: bool,
        owner: &dyn Fn() -> Owner,
        add: &mut dyn FnMut(Token, BorrowedFd<'a>, PollFlags),
    ) {
        if has_room {
            for (stream, output) in &self.outputs {
                add(Token::Output(owner(), *stream), output.as_fd(), PollFlags::POLLIN);
            }
        }
        if let Some(input) = self.input.as_ref().filter(|_| !self.pending.is_empty()) {
            add(Token::Input(owner()), input.as_fd(), PollFlags::POLLOUT);
        }
    }

    /// Reads what one output has; a stream at its end is closed.
    pub(super) fn read(&mut self, stream: OutputStream, buffer: &mut [u8]) -> Found {
        let Some(at) = self.outputs.iter().position(|(known, _)| *known == stream) else {
            return Found::End;
        };
        let result = self.outputs.get_mut(at).map(|(_, output)| output.read(buffer));
        match result {
            Some(Ok(count)) if count > 0 => Found::Bytes(count),
            Some(Err(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Found::NothingNow
            }
            // A terminal that nobody holds any more answers EIO.
            _ => {
                self.outputs.remove(at);
                Found::End
            }
        }
    }

    /// The outputs that are still open.
    pub(super) fn open_outputs(&self) -> Vec<OutputStream> {
        self.outputs.iter().map(|(stream, _)| *stream).collect()
    }

    pub(super) fn is_input_full(&self) -> bool {
        self.pending.len() > INPUT_MAX
    }

    /// Takes bytes for the process; if it does not read any more they are lost, as in a pipe.
    pub(super) fn push_input(&mut self, bytes: &[u8]) {
        if self.input.is_some() && !self.ends {
            self.pending.extend(bytes);
            self.flush_input();
        }
    }

    /// The input is complete. A terminal's input never is: its end is a character.
    pub(super) fn end_input(&mut self) {
        if !self.is_terminal {
            self.ends = true;
            self.flush_input();
        }
    }

    pub(super) fn flush_input(&mut self) {
        while !self.pending.is_empty() {
            let Some(input) = &mut self.input else { break };
            let (front, _) = self.pending.as_slices();
            match input.write(front) {
                Ok(count) if count > 0 => {
                    self.pending.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The reader is gone.
                _ => {
                    self.pending.clear();
                    self.ends = true;
                }
            }
        }
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
            if self.ends {
                self.input = None;
            }
        }
    }

    /// Sets the terminal's size, now or as soon as there is one.
    pub(super) fn resize(&mut self, rows: u16, columns: u16) -> io::Result<()> {
        self.size = Some((rows, columns));
        match self.outputs.first().filter(|_| self.is_terminal) {
            Some((_, terminal)) => Ok(nodes_sys::set_terminal_size(terminal, rows, columns)?),
            None => Ok(()),
        }
    }
}
