//! What joiners and operators ask of a cluster of several machines, at whichever server they ask.
//!
//! Way in: [`Operators`], behind the edge's routes; other servers reach it over the mesh (`Service::OPS`).
//! Time and order: joins are done by the holder of the shards; a server is removed by another one than itself.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use actors_object::{ApiError, Object, Reason};
use actors_runtime::Clock;
use bytes::Bytes;
use futures_util::future::join_all;
use mesh_quic::{Ask, Handler, Later as MeshLater, LinkState, Mesh};
use mesh_wire::{Lane, Peer, Service, TraceContext};
use nodes_api::{Family, Gathered, MeshPort};
use nodes_client::{Calls, Later};
use nodes_door::{Identity, Options};
use nodes_mesh::ask_spans;
use nodes_pki::{JoinRequest, Pki, authority_hash};
use nodes_trace::Question;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store_mvcc::Key;
use store_service::{ProposeError, Store};

use crate::{
    Gate, ServerConfig, ServerMesh,
    figures::large,
    joins::{Joins, not_leading},
    marker::Marker,
    node_object,
    refusals::{Refusals, Refused},
    views, votes,
};

/// How long another server may take.
const PASS_ON_WITHIN: Duration = Duration::from_secs(30);

/// What is passed on to another server.
#[derive(Debug, Serialize, Deserialize)]
enum Passed {
    /// A joiner's request, JSON.
    Join(String),
    /// The server of this node is to be removed.
    Remove(String),
}

/// What the other server answers: JSON, or why not.
type Answer = Result<String, Refused>;

/// Joins, removals, and what is shown of the mesh.
pub(crate) struct Operators {
    config: ServerConfig,
    parts: ServerMesh,
    gate: Gate,
    pki: Arc<Pki>,
    joins: Joins,
    refusals: Refusals,
}

impl Operators {
    /// From now on other servers can pass on what they were asked.
    pub(crate) fn open(
        config: &ServerConfig,
        parts: &ServerMesh,
        (gate, pki): (&Gate, &Arc<Pki>),
    ) -> Arc<Self> {
        let operators = Arc::new(Self {
            config: config.clone(),
            parts: parts.clone(),
            gate: gate.clone(),
            pki: Arc::clone(pki),
            joins: Joins::new(config, &parts.membership, gate, pki),
            refusals: Refusals::default(),
        });
        parts.mesh.serve(Service::OPS, Arc::new(FromServers(Arc::clone(&operators))));
        operators
    }

    /// Whom the mesh and the joins turned away, and how the links are.
    pub(crate) fn figures(&self) -> Vec<Family> {
        let mut mesh = Family::counter(
            "starling_mesh_refusals_total",
            "Whom the mesh turned away and why; what was seen longest ago makes room.",
        );
        for refusal in self.mesh().refusals() {
            let peer = refusal.peer.map_or_else(|| refusal.from.ip().to_string(), |peer| peer.node);
            let labels = vec![("peer", peer), ("reason", refusal.reason)];
            mesh = mesh.with(labels, large(refusal.count));
        }
        let mut joins =
            Family::counter("starling_join_refusals_total", "Joins that were refused here.");
        for (reason, count) in self.refusals.totals() {
            joins = joins.with(vec![("reason", reason)], large(count));
        }
        let mut links =
            Family::gauge("starling_mesh_link_up", "Whether there is a link to a node.");
        let mut again = Family::counter(
            "starling_mesh_link_reconnects_total",
            "How often the link to a node came up again.",
        );
        for link in self.mesh().links() {
            let is_up = matches!(link.state, LinkState::Up { .. });
            links = links.with(vec![("node", link.node.clone())], f64::from(u8::from(is_up)));
            again = again.with(vec![("node", link.node)], large(link.reconnects));
        }
        vec![mesh, joins, links, again]
    }

    fn store(&self) -> &Store {
        self.gate.store()
    }

    fn mesh(&self) -> &Mesh {
        &self.parts.mesh
    }

    /// The holder of the shards admits; others pass the request on to it.
    async fn admit(&self, body: &[u8]) -> Result<Value, Refused> {
        let request: JoinRequest = serde_json::from_slice(body)
            .map_err(|error| Refused::new("malformed", format!("this is no join: {error}"), 400))?;
        if self.store().epoch().is_some() {
            let answer = self.joins.admit(&request).await?;
            return Ok(json!(answer));
        }
        let leader = self.store().leadership().borrow().role.leader;
        let leader = leader.filter(|leader| *leader != self.config.member);
        let node = leader.and_then(|leader| self.parts.directory.node_of(leader));
        let text = json!(request).to_string();
        self.pass_on(&node.ok_or_else(not_leading)?, &Passed::Join(text)).await
    }

    async fn pass_on(&self, node: &str, passed: &Passed) -> Result<Value, Refused> {
        let busy = |why: &dyn std::fmt::Display| Refused::new("busy", why.to_string(), 503);
        let body = postcard::to_stdvec(passed).map_err(|error| busy(&error))?;
        let ask = Ask::new(Lane::Rpc, Service::OPS, body.into(), PASS_ON_WITHIN);
        let answer = self.mesh().ask(node, ask).await.map_err(|error| busy(&error))?;
        let answer: Answer = postcard::from_bytes(&answer).map_err(|error| busy(&error))?;
        serde_json::from_str(&answer?).map_err(|error| busy(&error))
    }

    async fn join_counted(&self, from: String, body: Bytes) -> Result<Value, ApiError> {
        self.admit(&body).await.map_err(|refused| {
            if refused.code != 503 {
                self.refusals.add(&from, &refused, Clock.now().wall);
                tracing::warn!(%from, reason = refused.sentence, "a join was refused");
            }
            told(&refused)
        })
    }

    /// What all others remember; those who are not heard are not waited for.
    async fn gather(&self, question: Question, skip: BTreeSet<String>) -> Gathered {
        let mut gathered = Gathered::default();
        let view = self.parts.membership.view().borrow().clone();
        let others =
            view.iter().map(|one| &one.info.node).filter(|node| **node != self.config.node);
        let (asked, silent): (Vec<&String>, Vec<&String>) =
            others.partition(|node| self.is_alive(node) && !skip.contains(*node));
        gathered.missing.extend(silent.into_iter().cloned());
        let question = &question;
        let answers = asked.iter().map(|node| ask_spans(self.mesh(), node, question));
        for (node, answer) in asked.iter().zip(join_all(answers).await) {
            match answer {
                Ok(spans) => gathered.spans.extend(spans),
                Err(error) => {
                    tracing::debug!(%node, error, "asked for its part of a trace");
                    gathered.missing.insert((*node).clone());
                }
            }
        }
        gathered
    }

    /// The Node objects that this replica knows.
    fn nodes(&self) -> Vec<Arc<Object>> {
        let prefix = Key::prefix("", "nodes", None);
        let snapshot = self.store().snapshot();
        snapshot.list(&prefix, None, usize::MAX).map(|item| item.object()).collect()
    }

    /// Whoever is not removed does it.
    async fn remove(&self, node: &str) -> Result<Value, Refused> {
        if node != self.config.node {
            return self.remove_other(node).await;
        }
        let members = self.store().members().borrow().clone();
        let others = votes::nodes_of(&members, &members.voters).into_iter();
        let heir = others.filter(|other| other != node).find(|other| self.is_alive(other));
        let heir = heir.ok_or_else(only_voter)?;
        self.pass_on(&heir, &Passed::Remove(node.to_owned())).await
    }

    fn is_alive(&self, node: &str) -> bool {
        let view = self.parts.membership.view();
        let view = view.borrow();
        view.iter().any(|one| one.info.node == node && one.state == mesh_member::MemberState::Alive)
    }

    /// Out of the store's group first, so that it counts no more; then its certificates are worth nothing; then its
    /// node goes. Each step can be repeated.
    async fn remove_other(&self, node: &str) -> Result<Value, Refused> {
        let failed = |error: &dyn std::fmt::Display| {
            Refused::new("failed", format!("the cluster could not do it: {error}"), 503)
        };
        let identity = Identity::new("system:starling:servers", &["system:masters"]);
        let calls = Calls::new(Arc::new(self.gate.clone()), identity, "starling-servers");
        let object = match calls.get(node_object::target(Some(node))).await {
            Ok(object) => Some(object),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(failed(&error)),
        };
        let members = self.store().members().borrow().clone();
        let member = votes::member_of(&members, node);
        let was_server =
            object.as_ref().is_some_and(|object| object.annotation(node_object::MEMBER).is_some());
        if member.is_none() && !was_server {
            return Err(Refused::new("unknown", format!("there is no server {node}"), 404));
        }
        if let Some(member) = member {
            self.store().remove_member(member).await.map_err(|error| match error {
                ProposeError::BadChange => only_voter(),
                error => failed(&error),
            })?;
        }
        if let Some(object) = &object {
            let marker = Marker::read(self.store()).unwrap_or_default();
            let serials = node_object::serials(object);
            marker.revoke(&calls, serials).await.map_err(|error| failed(&error))?;
            let target = node_object::target(Some(node));
            match calls.delete(target, Options::default()).await {
                Err(error) if !error.is_not_found() => return Err(failed(&error)),
                _ => {}
            }
        }
        self.parts.membership.forget(node);
        let voters = {
            let members = self.store().members();
            let members = members.borrow();
            votes::nodes_of(&members, &members.voters)
        };
        Ok(json!({ "removed": node, "voters": voters }))
    }
}

fn only_voter() -> Refused {
    Refused::new("last", "the only server of a cluster cannot be removed: use `starling down`", 409)
}

/// A refusal as the API says it.
fn told(refused: &Refused) -> ApiError {
    let mut error = ApiError::bad_request(refused.sentence.clone());
    error.code = refused.code;
    error.reason = match refused.code {
        401 => Reason::Unauthorized,
        404 => Reason::NotFound,
        409 => Reason::Conflict,
        503 => Reason::ServiceUnavailable,
        _ => Reason::BadRequest,
    };
    if refused.code == 503 { error.retry_after(1) } else { error }
}

impl MeshPort for Operators {
    fn authority(&self) -> Value {
        let pem = self.pki.authority.certificate_pem();
        json!({
            "certificate": pem,
            "hash": authority_hash(pem),
            "cluster": self.config.uid,
            "name": self.config.cluster,
        })
    }

    fn join(&self, from: String, body: Bytes) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(self.join_counted(from, body))
    }

    fn members(&self) -> Value {
        let members = self.store().members().borrow().clone();
        let role = self.store().leadership().borrow().role;
        let leader = role.leader;
        let name = |member: &store_raft::NodeId| {
            votes::nodes_of(&members, [member]).pop().unwrap_or_else(|| member.0.to_string())
        };
        let warnings: Vec<String> = votes::warning(&members).into_iter().collect();
        json!({
            "me": self.config.node,
            "members": views::members(&self.parts.membership.members(), &self.nodes()),
            "store": {
                "leader": leader.as_ref().map(name),
                "term": role.term,
                "voters": members.voters.iter().map(name).collect::<Vec<_>>(),
                "learners": members.learners.iter().map(name).collect::<Vec<_>>(),
                "quorum": *self.store().quorum().borrow(),
            },
            "warnings": warnings,
        })
    }

    fn links(&self) -> Value {
        json!({ "me": self.config.node, "links": views::links(&self.mesh().links()) })
    }

    fn refusals(&self) -> Value {
        let (mesh, joins) = (self.mesh().refusals(), self.refusals.list());
        json!({ "me": self.config.node, "refusals": views::refusals(&mesh, &joins) })
    }

    fn remove_server(&self, node: String) -> Later<'_, Result<Value, ApiError>> {
        Box::pin(async move { self.remove(&node).await.map_err(|refused| told(&refused)) })
    }

    fn spans(&self, question: Question, skip: BTreeSet<String>) -> Later<'_, Gathered> {
        Box::pin(self.gather(question, skip))
    }
}

/// What other servers pass on.
struct FromServers(Arc<Operators>);

impl Handler for FromServers {
    fn ask(&self, from: &Peer, body: Bytes, _: TraceContext) -> MeshLater<Result<Bytes, String>> {
        let operators = Arc::clone(&self.0);
        tracing::debug!(%from, "asked by another server");
        Box::pin(async move {
            let passed = postcard::from_bytes(&body).map_err(|error| error.to_string())?;
            let answer: Answer = match passed {
                // Not passed on any further: whoever asked asks the next leader itself.
                Passed::Join(_) if operators.store().epoch().is_none() => Err(not_leading()),
                Passed::Join(text) => operators.admit(text.as_bytes()).await,
                Passed::Remove(node) => operators.remove_other(&node).await,
            }
            .map(|value| value.to_string());
            let bytes = postcard::to_stdvec(&answer).map_err(|error| error.to_string())?;
            Ok(bytes.into())
        })
    }
}
