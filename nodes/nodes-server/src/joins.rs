//! Machines that join: who may, what they get, what is written about them.
//!
//! Way in: [`Joins::admit`].  Owns: the order of joins: one at a time, by the holder of the shards, under its epoch, so
//! that no two machines get one range or one number.
//! Writes: the token's Secret (that it was used), the Node object, the marker, the store's members.
//! Time and order: everything that can be refused is refused before anything is written; the store's group grows last.

use std::{sync::Arc, time::Duration};

use actors_object::{Object, json};
use actors_runtime::Clock;
use mesh_gossip::Membership;
use mesh_member::{MemberState, MemberView};
use mesh_wire::Role;
use nodes_client::Calls;
use nodes_door::{Identity, Options, Target};
use nodes_pki::{
    BootstrapToken, ClusterFacts, JoinAnswer, JoinPeer, JoinRequest, NodeRole, NodeSubject, Pki,
    TokenFacts, TokenUse, serial_of,
};
use store_raft::NodeId;
use store_service::Store;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    Gate, ServerConfig,
    control_plane::{self, has_agents},
    marker::Marker,
    node_object::{self, NewNode},
    refusals::Refused,
    votes,
};

/// How long the store may take to know of a new member; it goes on learning after that.
const MEMBER_WITHIN: Duration = Duration::from_secs(5);

/// Admits machines.
pub(crate) struct Joins {
    config: ServerConfig,
    membership: Membership,
    gate: Gate,
    pki: Arc<Pki>,
    one_at_a_time: Mutex<()>,
}

/// What is known of a name that somebody wants to join under.
struct Place {
    range: String,
    /// All nodes that there are.
    nodes: Vec<Arc<Object>>,
    /// Its member of the store's group, if it has one that never came.
    former: Option<NodeId>,
}

impl Joins {
    pub(crate) fn new(
        config: &ServerConfig,
        membership: &Membership,
        gate: &Gate,
        pki: &Arc<Pki>,
    ) -> Self {
        Self {
            config: config.clone(),
            membership: membership.clone(),
            gate: gate.clone(),
            pki: Arc::clone(pki),
            one_at_a_time: Mutex::default(),
        }
    }

    /// Admits a machine, or says why not. Only the holder of the shards does.
    pub(crate) async fn admit(&self, request: &JoinRequest) -> Result<JoinAnswer, Refused> {
        let _turn = self.one_at_a_time.lock().await;
        let epoch = self.gate.store().epoch().ok_or_else(not_leading)?;
        let gate = self.gate.under(epoch);
        let identity = Identity::new("system:starling:joins", &["system:masters"]);
        let calls = Calls::new(Arc::new(gate.clone()), identity, "starling-joins");
        request.check().map_err(|why| Refused::new("malformed", why, 400))?;
        self.check_cluster(request)?;
        let token = self.check_token(&calls, request).await?;
        let place = self.place_of(&calls, request).await?;
        let subject = NodeSubject {
            cluster: self.config.uid.clone(),
            site: request.site.clone(),
            role: request.role,
            node: request.node.clone(),
        };
        let certificate = self
            .pki
            .authority
            .sign_node(&request.csr, &subject, Clock.now().wall)
            .map_err(|_| {
                Refused::new("malformed", "the certificate signing request cannot be signed", 400)
            })?;
        let member = match request.role {
            NodeRole::Server => Some(self.new_member(&calls, &place).await?),
            NodeRole::Agent => None,
        };
        let serial = serial_of(&certificate);
        let node = NewNode {
            name: &request.node,
            range: &place.range,
            member: member.map(|member| member.0),
            serial: serial.as_deref(),
            is_tainted: request.role == NodeRole::Server && has_agents(&place.nodes),
        };
        node_object::put(&calls, &node).await.map_err(|error| failed(&error))?;
        if request.role == NodeRole::Agent && !has_agents(&place.nodes) {
            let tainted = control_plane::taint(&calls, &place.nodes).await;
            tainted.map_err(|error| failed(&error))?;
        }
        if token.once {
            self.mark_used(&calls, &token, &request.node).await?;
        }
        if let Some(member) = member {
            grow(gate.store(), (member, &request.node)).await?;
        }
        tracing::info!(node = request.node, role = %request.role, range = place.range, "joined");
        Ok(self.answer(request, (certificate, place.range, member)))
    }

    fn check_cluster(&self, request: &JoinRequest) -> Result<(), Refused> {
        match &request.cluster {
            Some(other) if *other != self.config.uid => {
                let why = format!(
                    "this is cluster {} ({}), and the machine belongs to cluster {other}",
                    self.config.cluster, self.config.uid
                );
                Err(Refused::new("foreign", why, 409))
            }
            _ => Ok(()),
        }
    }

    async fn check_token(
        &self,
        calls: &Calls,
        request: &JoinRequest,
    ) -> Result<TokenFacts, Refused> {
        let refused = |refusal: nodes_pki::TokenRefusal| {
            Refused::new(refusal.word(), refusal.to_string(), 401)
        };
        let token = BootstrapToken::parse(&request.token).map_err(refused)?;
        let wrong = || refused(nodes_pki::TokenRefusal::Wrong);
        let secret = match calls.get(secret(&token.id)).await {
            Ok(secret) => secret,
            Err(error) if error.is_not_found() => return Err(wrong()),
            Err(error) => return Err(failed(&error)),
        };
        let plain = serde_json::from_slice(&json::to_vec(&secret.0)).unwrap_or_default();
        let facts = TokenFacts::of(&plain).ok_or_else(wrong)?;
        let wanted = TokenUse { role: request.role, node: &request.node };
        facts.check(&token, wanted, Clock.now().wall).map_err(refused)?;
        Ok(facts)
    }

    /// What the name may have: its earlier range, or the lowest that is free.
    async fn place_of(&self, calls: &Calls, request: &JoinRequest) -> Result<Place, Refused> {
        let name = &request.node;
        let view = self.membership.view().borrow().clone();
        if *name == self.config.node || view.iter().any(|one| one.info.node == *name && lives(one))
        {
            let why = format!("the node name {name} is taken by a machine that is alive");
            return Err(Refused::new("taken", why, 409));
        }
        let listed = calls.list(node_object::target(None), Options::default()).await;
        let nodes: Vec<Arc<Object>> = listed
            .map_err(|error| failed(&error))?
            .entries
            .iter()
            .map(nodes_door::Entry::object)
            .collect();
        let range_of = |node: &Object| node.0.str_at(&["spec", "podCIDR"]).map(str::to_owned);
        let known = nodes.iter().find(|node| node.name() == name).and_then(|node| range_of(node));
        let taken: Vec<String> = nodes.iter().filter_map(|node| range_of(node)).collect();
        let free =
            || node_object::free_range(&self.config.pod_cidr, taken.iter().map(String::as_str));
        let range = known.or_else(free).ok_or_else(|| {
            let why = format!(
                "no addresses are left for pods of another node in {}",
                self.config.pod_cidr
            );
            Refused::new("full", why, 409)
        })?;
        let members = self.gate.store().members().borrow().clone();
        let former = votes::member_of(&members, name);
        if former.is_some_and(|member| members.voters.contains(&member)) {
            let why = format!(
                "the node name {name} is that of a server that still votes: remove it first with \
                 `starling server remove {name}`"
            );
            return Err(Refused::new("taken", why, 409));
        }
        Ok(Place { range, nodes, former })
    }

    /// A number that no member ever had. A member of this name that never came is taken out.
    async fn new_member(&self, calls: &Calls, place: &Place) -> Result<NodeId, Refused> {
        let store = self.gate.store();
        if let Some(former) = place.former {
            store.remove_member(former).await.map_err(|error| failed(&error))?;
        }
        let marker = Marker::read(store)
            .ok_or_else(|| Refused::new("early", "the cluster is not ready yet, try again", 503))?;
        let present: Vec<u64> = store.members().borrow().all().iter().map(|id| id.0).collect();
        let member = marker.next_member(present.into_iter());
        marker.give_member(calls, member).await.map_err(|error| failed(&error))?;
        Ok(NodeId(member))
    }

    async fn mark_used(
        &self,
        calls: &Calls,
        token: &TokenFacts,
        node: &str,
    ) -> Result<(), Refused> {
        let patch = TokenFacts::used_patch(node).to_string();
        let patch = json::from_slice(patch.as_bytes()).map_err(|error| failed(&error))?;
        calls.merge(secret(&token.id), &patch).await.map(drop).map_err(|error| failed(&error))
    }

    fn answer(
        &self,
        request: &JoinRequest,
        (certificate, node_range, member): (String, String, Option<NodeId>),
    ) -> JoinAnswer {
        let is_server = request.role == NodeRole::Server;
        JoinAnswer {
            cluster: ClusterFacts {
                uid: self.config.uid.clone(),
                name: self.config.cluster.clone(),
                service_cidr: self.config.service_cidr.clone(),
                pod_cidr: self.config.pod_cidr.clone(),
            },
            authority: self.pki.authority.certificate_pem().to_owned(),
            certificate,
            node_range,
            member: member.map(|member| member.0),
            peers: peers(&self.membership.view().borrow()),
            keys: is_server.then(|| self.pki.shared_keys()),
        }
    }
}

/// Whom a joiner can begin with: all that are not known to be gone.
fn peers(view: &[MemberView]) -> Vec<JoinPeer> {
    let there = view.iter().filter(|one| lives(one) && !one.info.mesh_address.is_empty());
    let peer = |one: &MemberView| JoinPeer {
        node: one.info.node.clone(),
        role: match one.info.role {
            Role::Server => NodeRole::Server,
            Role::Agent => NodeRole::Agent,
        },
        mesh_address: one.info.mesh_address.clone(),
        member: one.info.member,
    };
    there.map(peer).collect()
}

/// Whether a name is in use: also by somebody who is only silent.
fn lives(one: &MemberView) -> bool {
    !matches!(one.state, MemberState::Dead { .. } | MemberState::Left)
}

/// Makes the store's group know the member. That is all that is waited for: it votes when it has caught up, and it
/// cannot begin to before it has its answer.
async fn grow(store: &Store, (member, node): (NodeId, &str)) -> Result<(), Refused> {
    let mut members = store.members();
    let grown = timeout(MEMBER_WITHIN, async {
        tokio::select! {
            added = store.add_member(member, node.as_bytes().to_vec()) => {
                added.map(drop).map_err(|error| failed(&error))
            }
            known = members.wait_for(|members| members.contains(member)) => {
                known.map(drop).map_err(|error| failed(&error))
            }
        }
    });
    let busy = || Refused::new("busy", "the store's group cannot grow now, try again", 503);
    grown.await.unwrap_or_else(|_| Err(busy()))
}

fn secret(id: &str) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: "secrets".to_owned(),
        namespace: Some("kube-system".to_owned()),
        name: Some(BootstrapToken::secret_name(id)),
        ..Target::default()
    }
}

pub(crate) fn not_leading() -> Refused {
    Refused::new("busy", "no server leads the cluster right now, try again", 503)
}

/// Something of the cluster's own failed: the joiner tries again.
fn failed(error: &dyn std::fmt::Display) -> Refused {
    Refused::new("failed", format!("the cluster could not do it: {error}"), 503)
}
