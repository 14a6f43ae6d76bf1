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
use nodes_machines::{API_PORT, MachinePlan, MachineRecord, Role, forwarder};
use nodes_network::Cidr;

pub(crate) fn run(record: &ClusterRecord) -> Result<()> {
    // The guardian blocks signals to read them; what it starts inherits that.
    SigSet::all().thread_unblock()?;
    crate::log_to_stderr();
    let authority = record.data_dir.join("pki/ca.crt");
    let plan = record.plan();
    let servers = plan.machines.iter().filter(|machine| machine.role == Role::Server);
    let address = |machine: &MachinePlan| {
        let segment = machine.segment.as_ref()?;
        Some((machine.node.clone(), SocketAddr::from((segment.address, API_PORT))))
    };
    let config = forwarder::ForwarderConfig {
        authority_pem: fs::read(&authority)
            .with_context(|| format!("cannot read {}", authority.display()))?,
        servers: servers.filter_map(address).collect(),
        services: range(&record.service_cidr)?,
        pods: |machine| {
            let known = MachineRecord::read(&machine.record_path()).ok()?;
            range(&known.node_range).ok()
        },
        plan: plan.clone(),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, record.api_port));
    forwarder::run(listen, config).with_context(|| format!("the forwarder at {listen}"))
}

fn range(text: &str) -> Result<(Ipv4Addr, u8)> {
    let range: Cidr = text.parse().with_context(|| format!("{text} is no range of addresses"))?;
    Ok((range.network(), range.prefix()))
}
