//! Lines of a log file as the container runtime interface has them.
//!
//! Way in: [`Line::parse`].  Spec: `<time> <stdout|stderr> <F|P> <text>`; `P` is a part of a line
//! that goes on.

use actors_core::Wall;
use actors_object::timefmt;

/// One record of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// When it was written, as it stands.
    pub(crate) time: &'a str,
    /// Whether the line ends here.
    pub(crate) is_whole: bool,
    /// What the container wrote, without the end of the line.
    pub(crate) text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a record, with or without its own line end; `None` for what is none.
    pub(crate) fn parse(record: &'a [u8]) -> Option<Self> {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let mut parts = record.splitn(4, |byte| *byte == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?;
        let stream = parts.next()?;
        let tag = parts.next()?;
        let text = parts.next()?;
        matches!(stream, b"stdout" | b"stderr").then_some(())?;
        Some(Self { time, is_whole: tag.starts_with(b"F"), text })
    }

    /// When it was written.
    pub(crate) fn at(&self) -> Option<Wall> {
        timefmt::parse(self.time)
    }
}

/// Puts records together as their reader wants them.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Each line begins with its time.
    timestamps: bool,
    within_line: bool,
}

impl Writer {
    /// A writer whose lines begin with their time.
    pub(crate) fn stamped() -> Self {
        Self { timestamps: true, ..Self::default() }
    }

    /// Appends one record to `out`.
    pub(crate) fn add(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        if self.timestamps && !self.within_line {
            out.extend_from_slice(line.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(line.text);
        if line.is_whole {
            out.push(b'\n');
        }
        self.within_line = !line.is_whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_line_with_one_time() {
        let records = [
            "2026-11-21T08:00:00.5Z stdout P one ",
            "2026-11-21T08:00:00.6Z stdout F two\n",
            "no record",
            "2026-11-21T08:00:01Z stderr F ",
        ];
        for (timestamps, wanted) in [
            (false, "one two\n\n"),
            (true, "2026-11-21T08:00:00.5Z one two\n2026-11-21T08:00:01Z \n"),
        ] {
            let mut writer = if timestamps { Writer::stamped() } else { Writer::default() };
            let mut out = Vec::new();
            for line in records.iter().filter_map(|record| Line::parse(record.as_bytes())) {
                writer.add(&line, &mut out);
            }
            assert_eq!(String::from_utf8_lossy(&out), wanted);
        }
    }
}
