//! The operator's certificate of a cluster: where the verbs find it, and how it gets there.
//!
//! Way in: [`Operator::of`], [`take_operator_keys`].  Owns: the cluster's folder `pki`, where machines have folders of
//! their own. Servers make the certificate; it is replaced as one with its key.

use std::{fs, io, path::Path};

use nodes_machines::Role;
use nodes_pki::{Leaf, PkiError};

use crate::{ClusterRecord, Failure};

/// The operator's name in its certificate, and its files'.
const NAME: &str = "kubernetes-admin";

/// Whom the operator believes, and who it is.
pub(crate) struct Operator {
    /// The cluster's authority, PEM.
    pub(crate) authority_pem: String,
    /// Certificate and key.
    pub(crate) leaf: Leaf,
}

impl Operator {
    /// Reads the keys of a cluster.
    pub(crate) fn of(record: &ClusterRecord) -> Result<Self, Failure> {
        let folder = record.data_dir.join("pki");
        let again = |cause: String| {
            Failure::new(cause).next(format!("starling up --name {}", record.name)).code(3)
        };
        Self::open(&folder).map_err(|error| match error {
            PkiError::Pair { .. } => again(format!("{error}: `up` takes them anew")),
            PkiError::File { path, source } => {
                again(format!("cannot read {}: {source}", path.display()))
            }
            error => again(error.to_string()),
        })
    }

    fn open(folder: &Path) -> Result<Self, PkiError> {
        let path = folder.join("ca.crt");
        let authority_pem = fs::read_to_string(&path)
            .map_err(|source| PkiError::File { path: path.clone(), source })?;
        Ok(Self { authority_pem, leaf: Leaf::open(folder, NAME)? })
    }
}

/// Whether a cluster's operator has keys on this host: agents alone have none.
pub(crate) fn has_operator_keys(record: &ClusterRecord) -> bool {
    Operator::open(&record.data_dir.join("pki")).is_ok()
}

/// Puts the operator's certificate, which a server of this host made, where the verbs look for it.
pub(crate) fn take_operator_keys(record: &ClusterRecord) -> Result<(), Failure> {
    let own = record.data_dir.join("pki");
    let machines = record.plan().machines.into_iter();
    let servers = machines.filter(|machine| machine.role == Role::Server);
    let made = servers.filter_map(|one| Operator::open(&one.data_dir.join("pki")).ok()).next();
    let Some(made) = made else { return Ok(()) };
    let is_there = Operator::open(&own).is_ok_and(|there| {
        there.authority_pem == made.authority_pem
            && there.leaf.certificate_pem == made.leaf.certificate_pem
    });
    if is_there {
        return Ok(());
    }
    let kept = made.leaf.store(&own, NAME).map_err(|error| Failure::of(&error));
    kept.and_then(|()| {
        keep_authority(&own, &made.authority_pem).map_err(|error| {
            Failure::new(format!("cannot keep the operator's keys in {}: {error}", own.display()))
        })
    })
}

/// The authority as one file, beside the pair.
fn keep_authority(own: &Path, authority_pem: &str) -> io::Result<()> {
    let beside = own.join(format!("ca.crt.{}.new", std::process::id()));
    fs::write(&beside, authority_pem)?;
    fs::rename(&beside, own.join("ca.crt"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actors_core::Wall;
    use nodes_pki::{Authority, LeafRequest, Usage};

    use super::*;
    use crate::client::Client;

    fn issue(authority: &Authority, now: Wall) -> Leaf {
        let request = LeafRequest {
            common_name: NAME,
            organization: Some("system:masters"),
            names: &[],
            usage: Usage::Client,
            life: Duration::from_secs(3_600),
        };
        authority.issue(&request, now).expect("issued")
    }

    #[test]
    fn keys_that_are_no_pair_are_told_of_with_a_remedy_and_never_panic() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        let (record, now) = (ClusterRecord::for_test("c", data), Wall(1_800_000_000_000_000_000));
        let authority = Authority::create("ca", now).expect("made");
        let (one, two) = (issue(&authority, now), issue(&authority, now));
        let pki = data.join("pki");
        one.store(&pki, NAME).expect("stored");
        fs::write(pki.join("ca.crt"), authority.certificate_pem()).expect("written");
        assert!(Client::of(&record).is_ok());
        // As an older version, or a copy by hand, may leave it.
        fs::remove_file(pki.join("kubernetes-admin.pem")).expect("removed");
        fs::write(pki.join("kubernetes-admin.key"), &two.key_pem).expect("written");
        let failure = Client::of(&record).err().expect("a failure");
        assert!(failure.cause.contains("do not belong together"), "{}", failure.cause);
        assert_eq!(failure.next.as_deref(), Some("starling up --name c"));
    }
}
