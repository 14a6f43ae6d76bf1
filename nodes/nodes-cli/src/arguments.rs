//! What can be typed: verbs, options and their help.
//!
//! Way in: [`Arguments`].  Never: a default that depends on the machine; `place` and `record` have those.

mod machines;
mod sim;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub(crate) use machines::{
    InitOptions, JoinOptions, MeshFrom, MeshVerb, NodeVerb, ServerVerb, TokenRole, TokenVerb,
};

#[cfg(test)]
pub(crate) use sim::Seeds;
pub(crate) use sim::{SimRunOptions, SimVerb};

use crate::{DEFAULT_NAME, Failure};

/// A Kubernetes-compatible cluster of supervised actors, in one binary.
#[derive(Debug, Parser)]
#[command(name = "starling", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// Which cluster of this machine is meant.
    #[arg(long, global = true, value_name = "CLUSTER", default_value = DEFAULT_NAME)]
    pub name: String,
    /// How answers are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "Examples:
  starling up                          start a cluster on this machine
  starling up --servers 3 --agents 2   start one of five machines, in namespaces
  starling node kill agent-1           cut the power of one of them
  starling init                        make this machine the first of a real cluster
  starling image import web.tar        make an image available to its pods
  starling apply -f web.yaml           create or change objects
  starling get pods                    list them
  starling why pod/web-0               tell what led to the state of one
  starling down                        stop the cluster, keep its data";

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[value(alias = "wide")]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start a cluster on this machine; does nothing if it runs.
    Up(UpOptions),
    /// Stop a cluster; its data stay unless --purge.
    Down(DownOptions),
    /// Show the clusters of this machine: nodes, who leads, who is suspect, pids, addresses, folders.
    Status,
    /// Make this machine the first server of a cluster of several machines, and print how others join.
    Init(InitOptions),
    /// Make this machine a part of a cluster: `starling join HOST:6443 --token ...`.
    Join(JoinOptions),
    /// Make, list and revoke the tokens by which machines join.
    #[command(
        subcommand,
        after_help = "Examples:
  starling token create --print-join-command                an agent may join with it for a day
  starling token create --role server --once --ttl 30m      one server, within half an hour
  starling token revoke ID"
    )]
    Token(TokenVerb),
    /// List, add and remove servers.
    #[command(
        subcommand,
        after_help = "Examples:
  starling server list
  starling server add                                       print the line for the new machine
  starling server remove metal-3"
    )]
    Server(ServerVerb),
    /// Kill, start, pause and resume machines of this host; declare a machine out of service.
    #[command(
        subcommand,
        after_help = "Examples:
  starling node kill agent-1                                cut the power of a machine of this host
  starling node out metal-7                                 it is off: its pods may start elsewhere
  starling node out metal-7 --undo"
    )]
    Node(NodeVerb),
    /// Show who is in the mesh, its links, and whom it turned away.
    #[command(
        subcommand,
        after_help = "Examples:
  starling mesh members                                     who lives, who is suspect, on whose word
  starling mesh links --from metal-2
  starling mesh refusals -o json                            whom the servers turned away, and why"
    )]
    Mesh(MeshVerb),
    /// Print the kubeconfig of a cluster.
    Kubeconfig,
    /// Import, list and remove container images of this machine.
    #[command(subcommand)]
    Image(ImageVerb),
    /// Show objects: `starling get pods`, `starling get deployment/web -o json`.
    Get(Query),
    /// Create or change objects from files: `starling apply -f web.yaml`.
    Apply(Files),
    /// Delete objects: `starling delete pod/web-0`.
    Delete(Query),
    /// Wait until an object has a condition: `starling wait deployment/web --for available`.
    Wait(WaitOptions),
    /// Tell what led to an object's present state, step by step: `starling why pod/web-0`.
    Why(WhyOptions),
    /// Print a container's log.
    Logs(LogsOptions),
    /// Run a command in a container: `starling exec web-0 -- ls /`.
    Exec(ExecOptions),
    /// Show, kill and suspend the actors of a running cluster.
    #[command(subcommand)]
    Actors(ActorsVerb),
    /// Run whole clusters in one thread under virtual time, from seeds; nothing of them is real.
    #[command(
        subcommand,
        after_help = "Examples:
  starling sim run --seed 7                                 one run; the same seed is the same run
  starling sim run --seeds 1..=100 --jobs 2                 many
  starling sim run --seed 7 --plan my-plan.yaml -o json
  starling sim plans                                        the plans that come with the binary
  starling sim plans links                                  the file of one, to begin with"
    )]
    Sim(SimVerb),
    /// Print shell completions.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Run a part in the foreground; the guardian does this.
    #[command(hide = true)]
    Run(RunOptions),
    /// Keep a part alive; `up` starts this.
    #[command(hide = true)]
    Guardian(RunOptions),
}

/// Options of `up`.
#[derive(Debug, Clone, Args)]
pub struct UpOptions {
    /// Port of the API on 127.0.0.1, for a new cluster.
    #[arg(long, value_name = "PORT")]
    pub api_port: Option<u16>,
    /// Name of this machine's node, for a new cluster.
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Leave the kubeconfig file alone.
    #[arg(long)]
    pub no_kubeconfig: bool,
    /// So many servers, each on a machine of its own: a network namespace and a control group. Needs root.
    #[arg(long, value_name = "N")]
    pub servers: Option<usize>,
    /// So many agents beside them, each on a machine of its own.
    #[arg(long, value_name = "M")]
    pub agents: Option<usize>,
}

/// Options of `down`.
#[derive(Debug, Clone, Args)]
pub struct DownOptions {
    /// Remove the cluster's data too: objects, images, volumes, keys.
    #[arg(long)]
    pub purge: bool,
}

/// Options of the parts that run in the background.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// The record of the cluster or of the machine.
    #[arg(long, value_name = "FILE")]
    pub record: PathBuf,
    /// Which part of it.
    #[arg(long, value_enum, default_value_t = Part::Node)]
    pub part: Part,
}

/// What a record can be run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The server or agent of one machine.
    Node,
    /// The forwarder of a cluster of several machines on this host.
    Forwarder,
}

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Import an archive of `docker save` or an OCI layout (archive or folder).
    Import {
        /// The archive or folder.
        path: PathBuf,
        /// A further name to give the image.
        #[arg(long)]
        tag: Option<String>,
    },
    /// List images.
    #[command(alias = "ls")]
    List,
    /// Remove an image's name; blobs that nothing names go too.
    #[command(alias = "rm")]
    Remove {
        /// Its reference.
        reference: String,
    },
}

/// Which objects are meant.
#[derive(Debug, Clone, Args)]
pub struct Query {
    /// `KIND`, `KIND/NAME` or `KIND NAME...`; kinds as kubectl names them.
    #[arg(required = true, value_name = "KIND[/NAME]")]
    pub words: Vec<String>,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only objects with these labels.
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
}

/// Which files are meant.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Files of YAML or JSON; `-` reads standard input.
    #[arg(short, long = "filename", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
}

/// Options of `wait`.
#[derive(Debug, Clone, Args)]
pub struct WaitOptions {
    /// `KIND/NAME`.
    pub object: String,
    /// The condition that must be true, or `delete`.
    #[arg(long = "for", value_name = "CONDITION")]
    pub condition: String,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Seconds until it is given up.
    #[arg(long, default_value_t = 60)]
    pub timeout: u64,
}

/// Options of `why`.
#[derive(Debug, Clone, Args)]
pub struct WhyOptions {
    /// `KIND/NAME` or `KIND NAME`; kinds as kubectl names them.
    #[arg(required = true, num_args = 1..=2, value_name = "KIND/NAME")]
    pub object: Vec<String>,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Also steps of the same trace that have nothing to do with the object.
    #[arg(short, long)]
    pub all: bool,
}

/// Options of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsOptions {
    /// The pod.
    pub pod: String,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// The container, where the pod has several.
    #[arg(short, long)]
    pub container: Option<String>,
    /// Go on with new lines.
    #[arg(short, long)]
    pub follow: bool,
    /// The container's life before this one.
    #[arg(short, long)]
    pub previous: bool,
    /// Only the newest lines.
    #[arg(long)]
    pub tail: Option<u64>,
}

/// Options of `exec`.
#[derive(Debug, Clone, Args)]
pub struct ExecOptions {
    /// The pod.
    pub pod: String,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// The container, where the pod has several.
    #[arg(short, long)]
    pub container: Option<String>,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// What can be done with actors.
#[derive(Debug, Subcommand)]
pub enum ActorsVerb {
    /// Show the trees of all nodes: state, restarts, mailbox, busy time.
    Tree {
        /// Only this node's.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
    },
    /// Show who works most, over one second.
    Top {
        /// Only on this node.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
    },
    /// Show one actor in full: its last crash, its dead letters, what is below it.
    Show {
        /// Its path in the tree: `starling/agent`, `agent-1:starling/agent`.
        path: String,
        /// Its node; without it, the server that is asked.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
    },
    /// Let one actor handle no messages until it is resumed; its supervisor and kills still work.
    Suspend {
        /// Its path in the tree: `starling/agent`, `agent-1:starling/agent`.
        path: String,
        /// Its node; without it, the server that is asked.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
    },
    /// Let a suspended actor go on.
    Resume {
        /// Its path in the tree: `starling/agent`, `agent-1:starling/agent`.
        path: String,
        /// Its node; without it, the server that is asked.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
    },
    /// Kill one actor; its supervisor starts it again.
    Kill {
        /// Its path in the tree: `starling/agent`, `agent-1:starling/agent`.
        path: String,
        /// Its node; without it, the server that is asked.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        /// Let it panic at its next turn instead: a failure that counts, unlike a kill.
        #[arg(long)]
        panic: bool,
        /// Let it end with an error at its next turn instead: a failure that counts, too.
        #[arg(long, conflicts_with = "panic")]
        error: bool,
    },
}

/// Prints the completions of one shell.
///
/// # Errors
/// None today; the signature is that of every verb.
pub(crate) fn completion(shell: clap_complete::Shell) -> Result<(), Failure> {
    clap_complete::generate(shell, &mut Arguments::command(), "starling", &mut std::io::stdout());
    Ok(())
}
