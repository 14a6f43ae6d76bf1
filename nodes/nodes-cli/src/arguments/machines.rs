//! What can be typed about machines: `init`, `join`, `token`, `server`, `node`, `mesh`.
//!
//! Way in: the structs, named by [`super::Verb`].
//! Spec: kubeadm's documentation, "kubeadm init", "kubeadm join", "kubeadm token": its flags' names and meanings, where
//! they have one here.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand, ValueEnum};

/// Options of `init`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  starling init
  starling init --control-plane-endpoint api.example:6443    kubeconfigs and join lines say this
  starling init --apiserver-advertise-address 10.0.0.2 --node-name metal-2
  starling init -o json                                      the join lines for a script")]
pub struct InitOptions {
    /// The address of this machine that others use; that of the default route if left out.
    #[arg(long, value_name = "ADDRESS")]
    pub apiserver_advertise_address: Option<Ipv4Addr>,
    /// The API's port.
    #[arg(long, value_name = "PORT", default_value_t = nodes_machines::API_PORT)]
    pub apiserver_bind_port: u16,
    /// Further names and addresses of the API, for its certificate.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub apiserver_cert_extra_sans: Vec<String>,
    /// A name or address under which all servers are reached: what kubeconfigs and join lines say.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub control_plane_endpoint: Option<String>,
    /// Name of this machine's node; its host name if left out.
    #[arg(long, value_name = "NODE")]
    pub node_name: Option<String>,
    /// The addresses of all pods.
    #[arg(long, value_name = "RANGE")]
    pub pod_network_cidr: Option<String>,
    /// The addresses of Services.
    #[arg(long, value_name = "RANGE")]
    pub service_cidr: Option<String>,
    /// The token with which others join: ID.SECRET; a new one if left out.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long it is good: 30m, 24h, 0 for ever.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub token_ttl: String,
    /// Leave the token out of what is printed.
    #[arg(long)]
    pub skip_token_print: bool,
    /// Accepted for kubeadm's sake: a server that joins always gets the keys that servers share.
    #[arg(long, hide = true)]
    pub upload_certs: bool,
    /// Leave the kubeconfig file alone.
    #[arg(long)]
    pub no_kubeconfig: bool,
}

/// Options of `join`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples (`starling init` and `starling token create --print-join-command` print such lines):
  starling join 10.0.0.2:6443 --token ID.SECRET --discovery-token-ca-cert-hash sha256:HASH
  starling join 10.0.0.2:6443 --token ID.SECRET --discovery-token-ca-cert-hash sha256:HASH --control-plane"
)]
pub struct JoinOptions {
    /// A server of the cluster: HOST:6443.
    #[arg(value_name = "HOST[:PORT]")]
    pub endpoint: String,
    /// The token: ID.SECRET.
    #[arg(long, alias = "discovery-token", value_name = "TOKEN")]
    pub token: String,
    /// The hash of the cluster's authority, by which the server is known: sha256:...
    #[arg(long, value_name = "HASH", value_delimiter = ',')]
    pub discovery_token_ca_cert_hash: Vec<String>,
    /// Join without knowing whose cluster it is: whoever answers is believed.
    #[arg(long)]
    pub discovery_token_unsafe_skip_ca_verification: bool,
    /// Join as a server.
    #[arg(long)]
    pub control_plane: bool,
    /// Name of this machine's node; its host name if left out.
    #[arg(long, value_name = "NODE")]
    pub node_name: Option<String>,
    /// The address of this machine that others use; that of the default route if left out.
    #[arg(long, value_name = "ADDRESS")]
    pub apiserver_advertise_address: Option<Ipv4Addr>,
    /// The API's port, for a server.
    #[arg(long, value_name = "PORT", default_value_t = nodes_machines::API_PORT)]
    pub apiserver_bind_port: u16,
    /// Leave the kubeconfig file alone.
    #[arg(long)]
    pub no_kubeconfig: bool,
}

/// What a token lets a machine be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenRole {
    /// A server.
    Server,
    /// An agent.
    Agent,
    /// Either.
    Any,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token and print it.
    Create {
        /// The token: ID.SECRET; a new one if left out.
        token: Option<String>,
        /// How long it is good: 30m, 24h, 0 for ever.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        ttl: String,
        /// What a machine may join as.
        #[arg(long, value_enum, default_value_t = TokenRole::Agent)]
        role: TokenRole,
        /// Good for one machine only.
        #[arg(long)]
        once: bool,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
        /// Print the whole line to run on the new machine.
        #[arg(long)]
        print_join_command: bool,
    },
    /// List tokens, without their secrets.
    List,
    /// Take a token back: nobody joins with it any more.
    #[command(alias = "delete")]
    Revoke {
        /// Its ID, or ID.SECRET.
        token: String,
    },
}

/// What can be done with servers.
#[derive(Debug, Subcommand)]
pub enum ServerVerb {
    /// List the servers: who leads, who votes.
    List,
    /// Print the line that makes another machine a server of this cluster.
    Add,
    /// Take a server out of the cluster for ever; its machine must join again to come back.
    Remove {
        /// Its node's name.
        node: String,
    },
}

/// What can be done to a machine of this host.
#[derive(Debug, Subcommand)]
pub enum NodeVerb {
    /// Cut a machine's power: everything on it ends at once. It stays down until `node start`.
    Kill {
        /// Its node's name.
        node: String,
    },
    /// Start a machine that was killed.
    Start {
        /// Its node's name.
        node: String,
    },
    /// Stop everything on a machine in its place, its pods too.
    Pause {
        /// Its node's name.
        node: String,
    },
    /// Let a paused machine go on.
    Resume {
        /// Its node's name.
        node: String,
    },
    /// Declare that a machine is off and will not come back by itself: its pods move, those with an identity too.
    Out {
        /// Its node's name.
        node: String,
        /// Take the declaration back.
        #[arg(long)]
        undo: bool,
    },
}

/// What is asked of the mesh.
#[derive(Debug, Subcommand)]
pub enum MeshVerb {
    /// Who is there, who is suspect or dead, and on whose word.
    Members(MeshFrom),
    /// The links of one server to all others.
    Links(MeshFrom),
    /// Whom the servers turned away since they started, and why.
    Refusals(MeshFrom),
}

/// Whose view is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct MeshFrom {
    /// The server that is asked; if left out, any that is ready, and all for refusals.
    #[arg(long, value_name = "NODE")]
    pub from: Option<String>,
}
