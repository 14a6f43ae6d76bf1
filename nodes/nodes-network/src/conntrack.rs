//! Makes the kernel forget UDP connections whose endpoint is gone.
//!
//! Way in: [`forget`].  Never: a change of a connection that still has its endpoint.
//! Spec: the kernel's ctnetlink (`linux/netfilter/nfnetlink_conntrack.h`): a dump of all
//! connections, and a deletion by the tuple of the original direction, which is sent back as it
//! came.

use std::{
    collections::BTreeSet,
    io::IoSlice,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendmsg,
        socket,
    },
};

/// A translation of a UDP Service to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UdpFlow {
    /// The Service's address and port.
    pub(crate) service: (Ipv4Addr, u16),
    /// The endpoint's; the Service's own where it had none.
    pub(crate) target: (Ipv4Addr, u16),
}

const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
const FLAG_REQUEST: u16 = 0x0001;
const FLAG_ACK: u16 = 0x0004;
const FLAG_DUMP: u16 = 0x0300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const UDP: u8 = 17;
/// A netlink datagram is never longer.
const BUFFER: usize = 65_536;

/// Forgets all connections of `flows`.
pub(crate) fn forget(flows: &BTreeSet<UdpFlow>) -> nix::Result<()> {
    if flows.is_empty() {
        return Ok(());
    }
    let kind = SockType::Raw;
    let netlink = socket(
        AddressFamily::Netlink,
        kind,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    send(&netlink, &message(GET, FLAG_REQUEST | FLAG_DUMP, &[]))?;
    let mut doomed = Vec::new();
    receive(&netlink, |body| doomed.extend(original_of(body, flows)))?;
    for original in doomed {
        send(&netlink, &message(DELETE, FLAG_REQUEST | FLAG_ACK, &original))?;
        match receive(&netlink, |_| {}) {
            // It ended by itself in the meantime.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn send(netlink: &OwnedFd, bytes: &[u8]) -> nix::Result<()> {
    let kernel = NetlinkAddr::new(0, 0);
    sendmsg(netlink.as_raw_fd(), &[IoSlice::new(bytes)], &[], MsgFlags::empty(), Some(&kernel))
        .map(|_| ())
}

/// Reads messages up to the end of a dump, or to an acknowledgement.
fn receive(netlink: &OwnedFd, mut take: impl FnMut(&[u8])) -> nix::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, body, behind)) = split_message(rest) {
            rest = behind;
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                    return if code == 0 { Ok(()) } else { Err(Errno::from_raw(-code)) };
                }
                // Behind the four bytes of the netfilter header stand the attributes.
                _ => take(body.get(4..).unwrap_or_default()),
            }
        }
    }
}

fn message(kind: u16, flags: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(20 + attributes.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    // IPv4, version 0, no resource.
    bytes.extend([2, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

/// Kind, body, and what is behind the first message.
fn split_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(16..length)?;
    Some((kind, body, bytes.get(padded(length)..).unwrap_or_default()))
}

fn padded(length: usize) -> usize {
    (length + 3) & !3
}

/// Attributes as kind, whole bytes, and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        // The two highest bits say how the value is written, not what it is.
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & 0x3fff;
        let whole = bytes.get(..length)?;
        let value = whole.get(4..)?;
        bytes = bytes.get(padded(length)..).unwrap_or_default();
        Some((kind, whole, value))
    })
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _, _)| *kind == wanted).map(|(_, _, value)| value)
}

/// Protocol, source and destination of one direction.
struct Tuple {
    protocol: u8,
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
}

fn tuple(bytes: &[u8]) -> Option<Tuple> {
    let (addresses, transport) = (find(bytes, 1)?, find(bytes, 2)?);
    let address =
        |kind| find(addresses, kind)?.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets));
    let port = |kind| find(transport, kind)?.first_chunk().map(|port| u16::from_be_bytes(*port));
    Some(Tuple {
        protocol: *find(transport, 1)?.first()?,
        from: (address(1)?, port(2)?),
        to: (address(2)?, port(3)?),
    })
}

/// The tuple of the original direction, if the connection is one of `flows`.
fn original_of(body: &[u8], flows: &BTreeSet<UdpFlow>) -> Option<Vec<u8>> {
    let (_, whole, original) = attributes(body).find(|(kind, _, _)| *kind == 1)?;
    let (original, reply) = (tuple(original)?, tuple(find(body, 2)?)?);
    let is_one = flows.iter().any(|flow| {
        let translated = original.to != reply.from || flow.target == flow.service;
        reply.from == flow.target && translated
    });
    (original.protocol == UDP && is_one).then(|| whole.to_vec())
}
