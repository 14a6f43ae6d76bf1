//! Asks a server to let a machine into its cluster. The same on real machines and on those of one host.
//!
//! Way in: [`join`].  Time and order: the authority is compared with its hash before the token is told to anybody; the
//! machine's record is written last, so that one that has it has everything.
//! Spec: `GET /starling/v1/ca`, `POST /starling/v1/join`; kubeadm's documentation on `--discovery-token-ca-cert-hash`.

use std::{fs, sync::Arc, time::Duration};

use nix::poll::{PollTimeout, poll};
use nodes_machines::{MachinePlan, MachineRecord, Role};
use nodes_pki::{BootstrapToken, JoinAnswer, JoinRequest, NodeKey, authority_hash};
use serde_json::Value;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

use super::Newcomer;
use crate::Failure;

/// How long a server may take: it admits one machine at a time.
const WITHIN: Duration = Duration::from_secs(30);

/// How often a cluster that is busy is asked, and the pause between.
const ASKS_MAX: u32 = 60;
const ASK_AGAIN_MS: u16 = 250;

/// Stands for a refusal that may be another answer soon; never seen outside.
const BUSY: u8 = 75;

/// By what a machine comes in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invitation<'a> {
    /// A server: `HOST:PORT`.
    pub(crate) endpoint: &'a str,
    /// `ID.SECRET`.
    pub(crate) token: &'a str,
    /// Hashes of authorities, one of which must be the cluster's; empty only if `believes_anybody`.
    pub(crate) hashes: &'a [String],
    /// Whether whoever answers is believed.
    pub(crate) believes_anybody: bool,
    /// The cluster that the machine belongs to already, if it does.
    pub(crate) cluster: Option<&'a str>,
}

/// An invitation that was accepted.
pub(crate) struct Admission {
    /// What the server said.
    pub(crate) answer: JoinAnswer,
    key: NodeKey,
}

/// Who asks.
pub(crate) struct Asker<'a> {
    pub(crate) role: Role,
    pub(crate) node: &'a str,
    pub(crate) mesh_address: String,
    pub(crate) api_address: String,
}

/// Asks to be let in.
pub(crate) fn ask(invitation: &Invitation<'_>, asker: &Asker<'_>) -> Result<Admission, Failure> {
    // What is wrong with the token itself is said before anybody hears of it.
    BootstrapToken::parse(invitation.token).map_err(|refusal| {
        Failure::usage(refusal.to_string()).next("starling token create   (on a server)")
    })?;
    let authority = find_authority(invitation)?;
    let root = Certificate::from_pem(authority.as_bytes())
        .map_err(|error| Failure::new(format!("the authority cannot be read: {error}")))?;
    let agent = agent(|tls| tls.root_certs(RootCerts::from(vec![root])));
    let key = NodeKey::create(asker.node).map_err(|error| Failure::of(&error))?;
    let request = JoinRequest {
        token: invitation.token.to_owned(),
        role: asker.role,
        node: asker.node.to_owned(),
        csr: key.csr_pem.clone(),
        mesh_address: asker.mesh_address.clone(),
        api_address: (asker.role == Role::Server).then(|| asker.api_address.clone()),
        site: "default".to_owned(),
        cluster: invitation.cluster.map(str::to_owned),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    request.check().map_err(Failure::usage)?;
    let url = format!("https://{}/starling/v1/join", invitation.endpoint);
    let body = serde_json::to_string(&request).map_err(|error| Failure::of(&error))?;
    let text = insist(|| {
        read(invitation, agent.post(&url).content_type("application/json").send(body.as_str()))
    })?;
    let answer: JoinAnswer = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("{} answered something else: {error}", invitation.endpoint))
    })?;
    Ok(Admission { answer, key })
}

/// Asks again while the cluster says that it is busy: it changes its leader, or lets others in. The same request may be
/// repeated, as the name and the token tell that it is the same machine.
fn insist(mut ask: impl FnMut() -> Result<String, Failure>) -> Result<String, Failure> {
    let mut asked = 0;
    loop {
        asked += 1;
        match ask() {
            Err(failure) if failure.code == BUSY && asked < ASKS_MAX => {
                // Nothing tells when it is less busy, so this waits and asks.
                poll(&mut [], PollTimeout::from(ASK_AGAIN_MS)).ok();
            }
            Err(failure) if failure.code == BUSY => return Err(failure.code(1)),
            done => return done,
        }
    }
}

impl Admission {
    /// Writes keys and record of the machine.
    pub(crate) fn keep(&self, newcomer: &Newcomer<'_>) -> Result<MachineRecord, Failure> {
        let record = newcomer.joined(&self.answer)?;
        let pki = newcomer.plan.data_dir.join("pki");
        self.answer.store(&pki, &self.key.key_pem).map_err(|error| Failure::of(&error))?;
        record.write(&newcomer.plan.record_path()).map_err(|error| Failure::of(&error))?;
        Ok(record)
    }
}

/// Asks for a machine of this host, and writes what it is told.
pub(crate) fn join(
    newcomer: &Newcomer<'_>,
    invitation: &Invitation<'_>,
) -> Result<MachineRecord, Failure> {
    clear_halves(newcomer.plan)?;
    let asker = Asker {
        role: newcomer.plan.role,
        node: &newcomer.plan.node,
        mesh_address: newcomer.mesh_address().to_string(),
        api_address: format!("{}:{}", newcomer.address, newcomer.api_port),
    };
    ask(invitation, &asker)?.keep(newcomer)
}

/// What a join that was interrupted left would be mixed with what the next one brings.
fn clear_halves(plan: &MachinePlan) -> Result<(), Failure> {
    for folder in ["pki", "store"] {
        let folder = plan.data_dir.join(folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::new(format!("cannot remove {}: {error}", folder.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The cluster's authority, PEM: what the server shows, if it is the one whose hash was told.
fn find_authority(invitation: &Invitation<'_>) -> Result<String, Failure> {
    let unknown = agent(|tls| tls.disable_verification(true));
    let url = format!("https://{}/starling/v1/ca", invitation.endpoint);
    let text = insist(|| read(invitation, unknown.get(&url).call()))?;
    let told: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let certificate = told["certificate"].as_str().unwrap_or_default();
    let hash = authority_hash(certificate).ok_or_else(|| {
        Failure::new(format!("{} shows no certificate: it is no server", invitation.endpoint))
    })?;
    let known = invitation.hashes.iter().any(|told| told.eq_ignore_ascii_case(&hash));
    if known || (invitation.believes_anybody && invitation.hashes.is_empty()) {
        return Ok(certificate.to_owned());
    }
    Err(Failure::new(format!(
        "{} is not a server of the cluster that is meant: its authority's hash is {hash}",
        invitation.endpoint
    ))
    .next("starling token create --print-join-command   (on a server of that cluster)"))
}

fn agent(trust: impl FnOnce(ureq::tls::TlsConfigBuilder) -> ureq::tls::TlsConfigBuilder) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Agent::config_builder()
        .tls_config(trust(tls).build())
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(3)))
        .timeout_global(Some(WITHIN))
        .user_agent("starling")
        .build()
        .into()
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

/// The body of a good answer; a refusal in the server's own words.
fn read(invitation: &Invitation<'_>, answer: Answer) -> Result<String, Failure> {
    let endpoint = invitation.endpoint;
    let mut answer = answer.map_err(|error| {
        Failure::new(format!("cannot reach {endpoint}: {error}"))
            .next(format!("curl -k https://{endpoint}/readyz"))
            .code(3)
    })?;
    let text = answer.body_mut().read_to_string().map_err(|error| Failure::of(&error))?;
    if answer.status().is_success() {
        return Ok(text);
    }
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let message = body["message"].as_str().map_or_else(
        || format!("{endpoint} answered {}: it is no server of a mesh", answer.status()),
        str::to_owned,
    );
    let failure = Failure::new(message);
    if answer.status() == ureq::http::StatusCode::SERVICE_UNAVAILABLE {
        return Err(failure.next("starling status   (on a server)").code(BUSY));
    }
    if answer.status() == ureq::http::StatusCode::CONFLICT {
        return Err(
            failure.next("starling status   (on a server: shows the cluster and its nodes)")
        );
    }
    Err(failure.next("starling token create --print-join-command   (on a server)"))
}
