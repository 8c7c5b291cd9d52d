//! Encrypted connections, on which the certificate of the database is checked.

use crate::LogError;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Trusts the authorities that browsers trust.
pub(crate) fn of_the_web() -> Result<MakeRustlsConnect, LogError> {
    connector(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// Trusts these authorities alone: PEM, as managed databases give it.
pub(crate) fn of_authorities(pem: &[u8]) -> Result<MakeRustlsConnect, LogError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    match roots.is_empty() {
        true => Err(refused(&"there is none in it")),
        false => connector(roots),
    }
}

fn connector(roots: RootCertStore) -> Result<MakeRustlsConnect, LogError> {
    // Named, since a program may have several, or none, as its default.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn refused(reason: &dyn std::fmt::Display) -> LogError {
    LogError::Authorities { reason: reason.to_string() }
}
