//! The process of a cluster's forwarder: one address on this host for all servers.
//!
//! Way in: [`run`].

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context as _, Result};
use nix::sys::signal::SigSet;
use nodes_cli::ClusterRecord;
use nodes_machines::{API_PORT, MachineRecord, forwarder};
use nodes_network::Cidr;

pub(crate) fn run(record: &ClusterRecord) -> Result<()> {
    // The guardian blocks signals to read them; what it starts inherits that.
    SigSet::all().thread_unblock()?;
    crate::log_to_stderr();
    let authority = record.data_dir.join("pki/ca.crt");
    let config = forwarder::ForwarderConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, record.api_port)),
        authority_pem: fs::read(&authority)
            .with_context(|| format!("cannot read {}", authority.display()))?,
        api_port: API_PORT,
        services: range(&record.service_cidr)?,
        pods: |machine| {
            let known = MachineRecord::read(&machine.record_path()).ok()?;
            range(&known.node_range).ok()
        },
        plan: record.plan(),
    };
    forwarder::run(config).with_context(|| format!("port {} on 127.0.0.1", record.api_port))
}

fn range(text: &str) -> Result<(Ipv4Addr, u8)> {
    let range: Cidr = text.parse().with_context(|| format!("{text} is no range of addresses"))?;
    Ok((range.network(), range.prefix()))
}
