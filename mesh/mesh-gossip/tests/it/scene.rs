//! Processes with mesh and membership, each on a runtime of its own, which can be killed without a
//! word.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use actors_core::{ChildSpec, Intensity, OnLimit};
use actors_runtime::{Child, Clock, Root, System, Tree};
use mesh_gossip::{MemberInfo, MemberView, Membership};
use mesh_quic::{Limits, Mesh, MeshConfig, Peer, PeerAddress, Role};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use time::OffsetDateTime;
use tokio::{
    runtime::Runtime,
    time::{interval, timeout},
};

/// How long anything may take that is not measured. Far longer than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Signs certificates.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// What a process of this node is opened with.
    pub(crate) fn config(&self, node: &str) -> MeshConfig {
        let role = if node.starts_with("agent") { Role::Agent } else { Role::Server };
        let me = Peer { role, node: node.into(), cluster: "c1".into(), site: "default".into() };
        let mut params = CertificateParams::new(vec![node.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(me.uri().try_into().unwrap()));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(1);
        params.not_after = now + time::Duration::days(1);
        let key = KeyPair::generate().unwrap();
        let mut reset_key = [0; 32];
        actors_runtime::entropy().unwrap().fill(&mut reset_key);
        MeshConfig {
            me,
            certificate_pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key_pem: key.serialize_pem(),
            authorities_pem: self.pem.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            revoked: Vec::new(),
            reset_key,
            feature_level: 1,
            limits: Limits::default(),
        }
    }
}

/// One process.
pub(crate) struct Process {
    pub(crate) membership: Membership,
    pub(crate) config: MeshConfig,
    peers_file: PathBuf,
    root: Root,
    runtime: Option<Runtime>,
}

pub(crate) type Seeds = BTreeMap<String, PeerAddress>;

impl Process {
    pub(crate) fn start(mut config: MeshConfig, seeds: Seeds, peers_file: PathBuf) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let inside = runtime.enter();
        let mesh = Mesh::open(config.clone()).unwrap();
        config.listen = mesh.local_addr();
        let mut info = MemberInfo::new(&config.me.node, config.me.role, Clock.now().wall);
        info.mesh_address = config.listen.to_string();
        let membership =
            Membership::new(mesh.clone(), info, seeds).with_peers_file(peers_file.clone());
        let intensity = Intensity { restarts: 0, period: Duration::from_secs(60) };
        let tree = Tree::new("process", intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("mesh"), Child::supervisor(mesh.tree("mesh")))
            .child(
                ChildSpec::permanent("membership"),
                Child::supervisor(membership.tree("membership")),
            );
        let root = runtime.block_on(async move {
            System::new(actors_runtime::entropy().unwrap()).run(tree).await.unwrap()
        });
        drop(inside);
        Self { membership, config, peers_file, root, runtime: Some(runtime) }
    }

    /// Ends as by SIGKILL: nothing is sent any more.
    pub(crate) fn kill(mut self) -> (MeshConfig, PathBuf) {
        if let Some(runtime) = self.runtime.take() {
            // The next process needs the port.
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        (self.config.clone(), self.peers_file.clone())
    }

    /// Ends in order.
    pub(crate) fn stop(self) {
        if let Some(runtime) = &self.runtime {
            drop(runtime.block_on(self.root.shutdown()));
        }
        self.kill();
    }

    /// Where others find it.
    pub(crate) fn seed(&self) -> Seeds {
        let me = &self.config.me;
        let address = PeerAddress { role: me.role, address: self.config.listen };
        BTreeMap::from([(me.node.clone(), address)])
    }

    /// Waits until the view is as it should be; says how long that took.
    pub(crate) fn until(
        &self,
        within: Duration,
        what: &str,
        is_done: impl Fn(&[MemberView]) -> bool,
    ) -> Duration {
        let begun = Clock.mono();
        let mut view = self.membership.view();
        let runtime = self.runtime.as_ref().unwrap();
        let done = runtime.block_on(async {
            timeout(within, view.wait_for(|view| is_done(view))).await.map(|seen| seen.is_ok())
        });
        let me = &self.config.me.node;
        assert_eq!(done, Ok(true), "{me}: {what}: {:#?}", self.membership.members());
        Clock.mono().since(begun)
    }

    /// Waits until something holds that nobody tells of.
    pub(crate) fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let done = self.runtime.as_ref().unwrap().block_on(async {
            let mut looks = interval(Duration::from_millis(20));
            timeout(PATIENCE, async {
                while !holds() {
                    looks.tick().await;
                }
            })
            .await
        });
        assert!(done.is_ok(), "{what} did not come");
    }

    /// Waits until all of these are alive to it, and nobody else is.
    pub(crate) fn sees_alive(&self, nodes: &[&str]) {
        self.until(PATIENCE, &format!("{nodes:?} alive"), |view| {
            let alive = view.iter().filter(|member| member.state.word() == "alive");
            alive.map(|member| member.info.node.as_str()).eq(nodes.iter().copied())
        });
    }
}

/// What it says of one node.
pub(crate) fn word<'a>(view: &'a [MemberView], node: &str) -> Option<&'a str> {
    view.iter().find(|member| member.info.node == node).map(|member| member.state.word())
}
