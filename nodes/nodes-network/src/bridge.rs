//! The pod network of one node: a bridge, and a pair of interfaces for each pod.
//!
//! Way in: [`BridgeNetwork`].  Owns: the bridge `sl-<index>`, interfaces `sl<index>-…`, the tunnel
//! `slx-<index>`, the routes to other nodes' pods, the file of addresses.
//! Never: address translation; that is one table with the Services', see [`crate::ruleset`].
//! Order: an address is written down before the kernel learns it, and freed after the interface is
//! gone.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::Ipv4Addr,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    AddressBook, Cidr, Machine, NamespaceError, NetworkError, PodNetwork,
    links::{self, POD_INTERFACE, Pair},
    namespace::run_in,
    reach, survey,
};

/// Where a node's pods live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeConfig {
    /// Tells the clusters of one machine apart, 0 to 99.
    pub index: u8,
    /// The node's name.
    pub node: String,
    /// The node's address, by which other nodes reach it.
    pub address: Ipv4Addr,
    /// The addresses of all pods of the cluster.
    pub cluster_range: Cidr,
    /// The number of the cluster's tunnel, the same on all of its nodes; 24 bits, not 0.
    pub vni: u32,
    /// The addresses of this node's pods.
    pub pod_range: Cidr,
    /// The addresses of Services; they are routed here, so that they can be reached on a machine
    /// without a default route.
    pub service_range: Cidr,
    /// The file of addresses.
    pub address_file: PathBuf,
}

impl BridgeConfig {
    /// The name of the tunnel to nodes that are far away.
    #[must_use]
    pub fn tunnel_name(&self) -> String {
        format!("slx-{}", self.index)
    }
}

/// Pods behind a bridge.
#[derive(Debug)]
pub struct BridgeNetwork {
    config: BridgeConfig,
    book: Mutex<AddressBook>,
}

impl BridgeNetwork {
    /// A network that continues with the addresses in the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(config: BridgeConfig) -> Result<Self, NetworkError> {
        let book = AddressBook::open(&config.address_file, config.pod_range);
        Ok(Self { book: Mutex::new(book.map_err(NetworkError::Addresses)?), config })
    }

    /// The bridge's name.
    #[must_use]
    pub fn bridge_name(&self) -> String {
        format!("sl-{}", self.config.index)
    }

    /// The node's address on the bridge.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.book().gateway()
    }

    fn book(&self) -> MutexGuard<'_, AddressBook> {
        // A panic between two changes leaves the book as it was: each change is one assignment.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pair_prefix(&self) -> String {
        format!("sl{}-", self.config.index)
    }

    /// At most 15 bytes, the kernel's bound for names of interfaces.
    fn pair_name(&self, owner: &str) -> String {
        format!("{}{:08x}", self.pair_prefix(), actors_object::hash::fnv32a(owner.as_bytes()))
    }

    fn connect(&self, owner: &str, netns: &Path, address: Ipv4Addr) -> Result<(), NetworkError> {
        let gateway = self.gateway();
        let (name, bridge) = (self.pair_name(owner), self.bridge_name());
        let opened =
            File::open(netns).map_err(|source| NamespaceError::Open { path: netns.into(), source });
        let opened = opened.map_err(NetworkError::Namespace)?;
        let node = self.config.address;
        run_in(None, |handle| async move {
            let mtu = survey::outer_mtu(&survey::interfaces(&handle).await?, node);
            let bridge =
                links::index_of(&bridge).ok_or_else(|| NetworkError::Missing(bridge.clone()))?;
            let netns = opened.as_raw_fd();
            // One of a sandbox that died lives until the kernel has cleaned up.
            links::delete(&handle, &name).await?;
            let pair = Pair { name: &name, bridge, address, netns, mtu };
            links::add_pair(&handle, &pair).await
        })
        .map_err(NetworkError::Namespace)??;
        run_in(Some(netns), |handle| async move {
            links::configure_pod(&handle, address, gateway).await?;
            for interface in ["all", POD_INTERFACE] {
                // The node is the only way; what it says of shorter ones is not true here.
                set(&format!("net/ipv4/conf/{interface}/accept_redirects"), "0")?;
            }
            Ok(())
        })
        .map_err(NetworkError::Namespace)?
    }
}

impl PodNetwork for BridgeNetwork {
    fn set_up(&self) -> Result<(), NetworkError> {
        set("net/ipv4/ip_forward", "1")?;
        let (bridge, gateway) = (self.bridge_name(), self.gateway());
        let (pods, services) = (self.config.pod_range, self.config.service_range);
        let node = self.config.address;
        run_in(None, |handle| async move {
            let mtu = survey::outer_mtu(&survey::interfaces(&handle).await?, node);
            let index = links::ensure_bridge(&handle, &bridge, (gateway, pods), mtu).await?;
            links::route_range(&handle, services, index, gateway).await
        })
        .map_err(NetworkError::Namespace)?
    }

    fn attach(&self, owner: &str, netns: &Path) -> Result<Ipv4Addr, NetworkError> {
        let address = self.book().assign(owner).map_err(NetworkError::Addresses)?;
        let connected = self.connect(owner, netns, address);
        if connected.is_err() {
            let name = self.pair_name(owner);
            // The first error is the one to tell; the pair goes with the namespace in any case.
            if let Err(error) =
                run_in(None, |handle| async move { links::delete(&handle, &name).await })
            {
                tracing::debug!(%error, owner, "interface of a failed pod");
            }
        }
        connected.map(|()| address)
    }

    fn address_of(&self, owner: &str) -> Option<Ipv4Addr> {
        self.book().get(owner)
    }

    fn detach(&self, owner: &str) -> Result<(), NetworkError> {
        let name = self.pair_name(owner);
        run_in(None, |handle| async move { links::delete(&handle, &name).await })
            .map_err(NetworkError::Namespace)??;
        self.book().release(owner).map_err(NetworkError::Addresses)
    }

    fn retain(&self, owners: &BTreeSet<String>) -> Result<(), NetworkError> {
        let gone: Vec<String> = self
            .book()
            .owners()
            .filter(|owner| !owners.contains(*owner))
            .map(str::to_owned)
            .collect();
        gone.iter().try_for_each(|owner| self.detach(owner))
    }

    fn reach(&self, machines: &[Machine]) -> Result<BTreeSet<Ipv4Addr>, NetworkError> {
        let work = |handle| async move { reach::reach(&handle, &self.config, machines).await };
        run_in(None, work).map_err(NetworkError::Namespace)?
    }

    fn tear_down(&self) -> Result<(), NetworkError> {
        let (bridge, prefix) = (self.bridge_name(), self.pair_prefix());
        run_in(None, |handle| async move {
            reach::tear_down(&handle, &self.config).await?;
            for name in links::names_with(&prefix) {
                links::delete(&handle, &name).await?;
            }
            links::delete(&handle, &bridge).await
        })
        .map_err(NetworkError::Namespace)??;
        let owners: Vec<String> = self.book().owners().map(str::to_owned).collect();
        owners
            .iter()
            .try_for_each(|owner| self.book().release(owner))
            .map_err(NetworkError::Addresses)
    }
}

/// Writes a kernel setting of this thread's namespace, unless it has that value.
fn set(setting: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new("/proc/sys").join(setting);
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value)
        .map_err(|source| NetworkError::Setting { setting: path.display().to_string(), source })
}
