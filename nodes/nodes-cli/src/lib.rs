//! The verbs of the binary: clusters on this machine, their guardian, and a thin client for those without kubectl.
//!
//! Way in: [`Arguments`], [`run`].  Never: a decision about an object; those are made behind the API.

mod actors;
mod arguments;
mod claims;
mod client;
mod down;
mod exec;
pub mod guardian;
mod image;
mod launch;
mod machines;
mod objects;
mod operator;
mod output;
mod place;
mod preflight;
mod processes;
mod readiness;
mod record;
mod sim;
mod status;
mod table;
mod up;
mod wait;
mod why;

pub use arguments::{Arguments, Part, Verb};
pub use claims::Claims;
use nodes_machines::MachineRecord;
pub use output::{Failure, Output};
pub use place::{Environment, Place};
pub use record::{API_PORT, ClusterRecord, DEFAULT_NAME, Records};

/// What the binary lends the verbs: everything that they would otherwise take from the process.
pub struct Caller<'a> {
    /// What of the environment counts.
    pub environment: &'a Environment,
    /// Where things lie.
    pub place: Place,
    /// Removes what a stopped machine left in the kernel: pods, mounts, interfaces, rules, cgroups.
    pub teardown: &'a (dyn Fn(&MachineRecord) -> Result<(), String> + Sync),
    /// Randomness for identities.
    pub rng: actors_core::Rng,
    /// The time at which the command began.
    pub now: actors_core::Now,
    /// What it has chosen of this machine, until it ends.
    pub claims: Claims,
}

/// Runs one verb.
///
/// # Errors
/// One sentence of cause, the next command, and an exit code.
pub fn run(arguments: &Arguments, caller: &mut Caller<'_>) -> Result<(), Failure> {
    let output = Output::new(arguments.output);
    match &arguments.verb {
        Verb::Up(options) => up::run(arguments, options, caller, &output),
        Verb::Down(options) => down::run(arguments, options, caller, &output),
        Verb::Status => status::run(caller, &output),
        Verb::Init(options) => machines::real::init(arguments, options, caller, &output),
        Verb::Join(options) => machines::real::join(options, caller, &output),
        Verb::Token(verb) => machines::token::run(arguments, verb, caller, &output),
        Verb::Server(verb) => machines::server::run(arguments, verb, caller, &output),
        Verb::Node(verb) => machines::node::run(arguments, verb, caller, &output),
        Verb::Mesh(verb) => machines::mesh::run(arguments, verb, caller, &output),
        Verb::Kubeconfig => up::print_kubeconfig(arguments, caller),
        Verb::Image(verb) => image::run(arguments, verb, caller, &output),
        Verb::Get(query) => objects::get(arguments, query, caller, &output),
        Verb::Apply(files) => objects::apply(arguments, files, caller, &output),
        Verb::Delete(query) => objects::delete(arguments, query, caller, &output),
        Verb::Wait(options) => wait::run(arguments, options, caller, &output),
        Verb::Why(options) => why::run(arguments, options, caller, &output),
        Verb::Logs(options) => objects::logs(arguments, options, caller),
        Verb::Exec(options) => exec::run(arguments, options, caller),
        Verb::Actors(verb) => actors::run(arguments, verb, caller, &output),
        Verb::Sim(verb) => sim::run(verb, &output),
        Verb::Completion { shell } => arguments::completion(*shell),
        Verb::Run(_) | Verb::Guardian(_) => {
            Err(Failure::usage("this verb is run by the binary itself"))
        }
    }
}
