//! The keys and certificates of one cluster on disk: made once, read at every start, leaves renewed in time.
//!
//! Way in: [`Pki::open_or_create`].  Owns: the folder; keys are readable by their owner alone.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use actors_core::{Rng, Wall};
use x509_parser::pem::parse_x509_pem;

use crate::{
    Authority, AuthorityError, Leaf, LeafRequest, TokenError, TokenKey, Usage, seconds_left,
};

/// How long leaves live.
const LEAF_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// A leaf with less than this left is made anew: the API's while it is shown, others at the next start.
const RENEW_BEFORE_SECS: i64 = 120 * 86_400;

/// All secrets of one cluster's control plane.
pub struct Pki {
    /// Signs certificates.
    pub authority: Authority,
    /// The API's own certificate.
    pub server: Leaf,
    /// The operator's: group `system:masters`.
    pub admin: Leaf,
    /// Signs service-account tokens.
    pub tokens: TokenKey,
    /// Seals Secrets before they are proposed (AES-256).
    pub sealing_key: [u8; 32],
    /// The key of `tokens`, PKCS#8 DER: what other servers get.
    pub(crate) token_key_der: Vec<u8>,
}

/// Why the folder cannot be used. The operator mends the named file, or restores it.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The operating system refused.
    #[error("cannot read or write {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate cannot be made or read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The token key cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A certificate and a key that are not a pair: what replaced them was interrupted.
    #[error("the certificate {name} and its key in {folder} do not belong together")]
    Pair {
        /// The folder.
        folder: PathBuf,
        /// The name of both files.
        name: String,
    },
    /// A file has other contents than it should.
    #[error("{path} is damaged: restore it from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
}

impl Pki {
    /// Reads the folder, makes what is missing, and renews what expires soon. `names` are the DNS names and
    /// addresses that the API answers to.
    ///
    /// # Errors
    /// If a file cannot be read, written or understood.
    pub fn open_or_create(
        folder: &Path,
        names: &[String],
        now: Wall,
        rng: &mut Rng,
    ) -> Result<Self, PkiError> {
        make_folder(folder)?;
        let authority = open_authority(folder, now)?;
        let admin = LeafRequest {
            common_name: "kubernetes-admin",
            organization: Some("system:masters"),
            names: &[],
            usage: Usage::Client,
            life: LEAF_LIFE,
        };
        let token_key_der = open_secret(folder, "service-account.der", || {
            let refused =
                |source| AuthorityError::Refused { name: "service-account".to_owned(), source };
            Ok(rcgen::KeyPair::generate().map_err(refused)?.serialize_der())
        })?;
        Ok(Self {
            server: open_leaf(folder, &authority, &server(names), now)?,
            admin: open_leaf(folder, &authority, &admin, now)?,
            tokens: TokenKey::from_pkcs8(&token_key_der)?,
            token_key_der,
            sealing_key: open_sealing_key(folder, rng)?,
            authority,
        })
    }

    /// The API's certificate as the folder has it; made anew and stored there if it expires soon.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn fresh_server(
        &self,
        folder: &Path,
        names: &[String],
        now: Wall,
    ) -> Result<Leaf, PkiError> {
        open_leaf(folder, &self.authority, &server(names), now)
    }
}

impl Leaf {
    /// In what time it is to be made anew; nothing if it is due, or is no certificate.
    #[must_use]
    pub fn due_in(&self, now: Wall) -> Duration {
        let left = seconds_left(&self.certificate_pem, now).unwrap_or(0);
        Duration::from_secs(u64::try_from(left - RENEW_BEFORE_SECS).unwrap_or(0))
    }
}

/// What the API's certificate shall say.
fn server(names: &[String]) -> LeafRequest<'_> {
    LeafRequest {
        common_name: "kube-apiserver",
        organization: None,
        names,
        usage: Usage::Server,
        life: LEAF_LIFE,
    }
}

pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> PkiError {
    let path = path.to_owned();
    move |source| PkiError::File { path: path.clone(), source }
}

/// Makes the folder, for its owner alone.
pub(crate) fn make_folder(folder: &Path) -> Result<(), PkiError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(at(folder))
}

fn open_authority(folder: &Path, now: Wall) -> Result<Authority, PkiError> {
    let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
    if certificate.exists() {
        let pem = fs::read_to_string(&certificate).map_err(at(&certificate))?;
        let key_pem = fs::read_to_string(&key).map_err(at(&key))?;
        return Ok(Authority::from_pem(pem, &key_pem)?);
    }
    let authority = Authority::create("starling-ca", now)?;
    write_secret(&key, authority.key_pem().as_bytes())?;
    write_secret(&certificate, authority.certificate_pem().as_bytes())?;
    Ok(authority)
}

fn open_leaf(
    folder: &Path,
    authority: &Authority,
    wanted: &LeafRequest<'_>,
    now: Wall,
) -> Result<Leaf, PkiError> {
    // One that is missing, about to end, or half of a pair is made anew.
    if let Ok(leaf) = Leaf::open(folder, wanted.common_name)
        && is_good(&leaf.certificate_pem, wanted, now)
    {
        return Ok(leaf);
    }
    let leaf = authority.issue(wanted, now)?;
    leaf.store(folder, wanted.common_name)?;
    Ok(leaf)
}

/// Whether a stored leaf has time left and covers every wanted name.
fn is_good(certificate_pem: &str, wanted: &LeafRequest<'_>, now: Wall) -> bool {
    let Ok((_, pem)) = parse_x509_pem(certificate_pem.as_bytes()) else { return false };
    let Ok(certificate) = pem.parse_x509() else { return false };
    let left = certificate.validity().not_after.timestamp() - now.as_secs();
    let names = certificate.subject_alternative_name().ok().flatten();
    let covered = names.map(|names| names.value.general_names.len()).unwrap_or(0);
    left > RENEW_BEFORE_SECS && covered == wanted.names.len()
}

fn open_sealing_key(folder: &Path, rng: &mut Rng) -> Result<[u8; 32], PkiError> {
    let bytes = open_secret(folder, "sealing.key", || {
        let mut key = vec![0; 32];
        rng.fill(&mut key);
        Ok(key)
    })?;
    <[u8; 32]>::try_from(bytes).map_err(|_| PkiError::Damaged { path: folder.join("sealing.key") })
}

fn open_secret(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<Vec<u8>, PkiError>,
) -> Result<Vec<u8>, PkiError> {
    let path = folder.join(name);
    if path.exists() {
        return fs::read(&path).map_err(at(&path));
    }
    let bytes = make()?;
    write_secret(&path, &bytes)?;
    Ok(bytes)
}

/// Writes the whole file or nothing: beside it, synced, then renamed. Others may do so at the same time.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}-{number}.new", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            io::Write::write_all(&mut file, bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        });
    written.map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_reads_what_the_first_made_and_new_names_renew_the_server() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("pki");
        let names = ["127.0.0.1".to_owned(), "kubernetes.default.svc".to_owned()];
        let now = Wall(1_800_000_000 * 1_000_000_000);
        let open =
            |names: &[String]| Pki::open_or_create(&folder, names, now, &mut Rng::from_number(1));
        let first = open(&names).expect("made");
        let second = open(&names).expect("read");
        assert_eq!(first.server.certificate_pem, second.server.certificate_pem);
        assert_eq!(first.sealing_key, second.sealing_key);
        let more = open(&["127.0.0.1".to_owned(), "10.0.0.1".to_owned(), "n1".to_owned()])
            .expect("renewed");
        assert_ne!(more.server.certificate_pem, first.server.certificate_pem);
        assert_eq!(more.admin.certificate_pem, first.admin.certificate_pem);
        let due = more.server.due_in(now);
        let again = |now| {
            let names = ["127.0.0.1".to_owned(), "10.0.0.1".to_owned(), "n1".to_owned()];
            more.fresh_server(&folder, &names, now).expect("a certificate")
        };
        let before = now.after(due - Duration::from_secs(1));
        assert_eq!(again(before).certificate_pem, more.server.certificate_pem);
        let renewed = again(now.after(due));
        assert_ne!(renewed.certificate_pem, more.server.certificate_pem);
        assert_eq!(renewed.due_in(now.after(due)), due, "as long as the one before");
        assert_eq!(again(now.after(due)).certificate_pem, renewed.certificate_pem, "it is stored");
        let mode = fs::metadata(folder.join("ca.key")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read the key");
    }
}
