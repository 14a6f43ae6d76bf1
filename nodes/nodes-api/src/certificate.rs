//! The API's own certificate: shown to whoever connects, and replaced while others are connected.
//!
//! Way in: [`ServingCertificate`].  Owns: the certificate and its key.
//! Invariant: a connection has the certificate that was shown when it began; replacing it ends none.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use nodes_pki::Leaf;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::ServeError;

/// The certificate that is shown now.
pub struct ServingCertificate {
    provider: Arc<CryptoProvider>,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl ServingCertificate {
    /// Shows this one first.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn new(leaf: &Leaf) -> Result<Self, ServeError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = RwLock::new(Arc::new(certified(leaf, &provider)?));
        Ok(Self { provider, shown })
    }

    /// Shows another one to whoever connects from now on.
    ///
    /// # Errors
    /// If it cannot be used; the one before is shown then as before.
    pub fn replace(&self, leaf: &Leaf) -> Result<(), ServeError> {
        let fresh = Arc::new(certified(leaf, &self.provider)?);
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingCertificate").finish_non_exhaustive()
    }
}

fn certified(leaf: &Leaf, provider: &CryptoProvider) -> Result<CertifiedKey, ServeError> {
    let bad = |what: &'static str| {
        move |why: &dyn fmt::Display| ServeError::Keys { what, why: why.to_string() }
    };
    let chain = CertificateDer::pem_slice_iter(leaf.certificate_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| bad("the API's certificate")(&error))?;
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes());
    let key = key.map_err(|error| bad("the API's key")(&error))?;
    CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| bad("the API's certificate")(&error))
}
