//! A certificate and its key on disk: one file, replaced as one, so that nobody ever reads the half of a pair.
//!
//! Way in: [`Leaf::open`], [`Leaf::store`].  Owns: `NAME.pem`; beside it `NAME.crt` and `NAME.key`, for programs that
//! want them apart. Those two are read only where there is no `NAME.pem`.

use std::{fs, path::Path};

use rcgen::{KeyPair, PublicKeyData as _};
use x509_parser::pem::parse_x509_pem;

use crate::{
    Leaf, PkiError,
    files::{at, make_folder, write_secret},
};

impl Leaf {
    /// Reads the pair of this name.
    ///
    /// # Errors
    /// If it cannot be read, or certificate and key do not belong together.
    pub fn open(folder: &Path, name: &str) -> Result<Self, PkiError> {
        let path = folder.join(format!("{name}.pem"));
        let leaf = match fs::read_to_string(&path) {
            Ok(text) => Self::split(&text),
            Err(_) => Self::open_apart(folder, name)?,
        };
        match leaf.filter(Self::fits) {
            Some(leaf) => Ok(leaf),
            None => Err(PkiError::Pair { folder: folder.to_owned(), name: name.to_owned() }),
        }
    }

    fn open_apart(folder: &Path, name: &str) -> Result<Option<Self>, PkiError> {
        let read = |ending: &str| {
            let path = folder.join(format!("{name}.{ending}"));
            fs::read_to_string(&path).map_err(at(&path))
        };
        Ok(Some(Self { certificate_pem: read("crt")?, key_pem: read("key")? }))
    }

    /// Writes the pair: wholly or not at all.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn store(&self, folder: &Path, name: &str) -> Result<(), PkiError> {
        make_folder(folder)?;
        let write = |ending: &str, text: &str| {
            write_secret(&folder.join(format!("{name}.{ending}")), text.as_bytes())
        };
        write("pem", &format!("{}\n{}", self.certificate_pem.trim_end(), self.key_pem))?;
        write("key", &self.key_pem)?;
        write("crt", &self.certificate_pem)
    }

    /// The certificate is what stands before the key.
    fn split(text: &str) -> Option<Self> {
        let key = text.rfind("-----BEGIN ")?;
        let (certificate, key) = text.split_at_checked(key)?;
        let is_key = key.lines().next().is_some_and(|line| line.contains("PRIVATE KEY"));
        is_key.then(|| Self { certificate_pem: certificate.to_owned(), key_pem: key.to_owned() })
    }

    /// Whether the certificate speaks of this key.
    fn fits(&self) -> bool {
        let Ok((_, pem)) = parse_x509_pem(self.certificate_pem.as_bytes()) else { return false };
        let (Ok(certificate), Ok(key)) = (pem.parse_x509(), KeyPair::from_pem(&self.key_pem))
        else {
            return false;
        };
        certificate.public_key().raw == key.subject_public_key_info()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actors_core::Wall;

    use super::*;
    use crate::{Authority, LeafRequest, Usage};

    const NOW: Wall = Wall(1_800_000_000 * 1_000_000_000);

    fn issue(authority: &Authority) -> Leaf {
        let request = LeafRequest {
            common_name: "kubernetes-admin",
            organization: None,
            names: &[],
            usage: Usage::Client,
            life: Duration::from_secs(3_600),
        };
        authority.issue(&request, NOW).expect("issued")
    }

    #[test]
    fn a_pair_that_is_half_replaced_is_refused_and_one_that_is_whole_wins_over_its_halves() {
        let place = tempfile::tempdir().expect("a folder");
        let (folder, authority) = (place.path(), Authority::create("ca", NOW).expect("made"));
        let (one, two) = (issue(&authority), issue(&authority));
        one.store(folder, "admin").expect("stored");
        let open = || Leaf::open(folder, "admin").map(|leaf| leaf.key_pem);
        assert_eq!(open().expect("read"), one.key_pem);
        // Whoever was killed between the two files leaves the halves of two pairs.
        fs::write(folder.join("admin.key"), &two.key_pem).expect("written");
        assert_eq!(open().expect("read"), one.key_pem);
        fs::remove_file(folder.join("admin.pem")).expect("removed");
        let error = open().expect_err("halves of two pairs").to_string();
        assert!(error.contains("admin") && error.contains("do not belong together"), "{error}");
        fs::write(folder.join("admin.crt"), &two.certificate_pem).expect("written");
        assert_eq!(open().expect("both halves, as an older version wrote them"), two.key_pem);
        fs::write(folder.join("admin.pem"), &two.certificate_pem).expect("written");
        assert!(open().is_err(), "there is no key");
    }

    #[test]
    fn who_reads_while_others_replace_a_pair_reads_a_whole_one() {
        let place = tempfile::tempdir().expect("a folder");
        let (folder, authority) = (place.path(), Authority::create("ca", NOW).expect("made"));
        let pairs = [issue(&authority), issue(&authority)];
        pairs[0].store(folder, "admin").expect("stored");
        std::thread::scope(|scope| {
            for pair in &pairs {
                scope.spawn(move || {
                    (0..50).for_each(|_| pair.store(folder, "admin").expect("stored"))
                });
            }
            for _ in 0..200 {
                let read = Leaf::open(folder, "admin").expect("a pair");
                assert!(pairs.iter().any(|pair| pair.key_pem == read.key_pem));
            }
        });
    }
}
