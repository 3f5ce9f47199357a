//! Where the database is, and how it is reached: a file, or a PostgreSQL server, under TLS when its URL asks for that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;

/// Longest wait for PostgreSQL to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which database holds entries, records and tables.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// A SQLite file in the folder of the workspace.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which several servers may share.
    Postgres(Box<Remote>),
}

/// Address, credentials and TLS settings of a PostgreSQL database.
#[derive(Clone)]
pub(crate) struct Remote {
    config: postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration may hold a password.
        f.write_str("PostgreSQL")
    }
}

impl Location {
    /// Reads a database URL; the embedded database when there is none. `roots` are the certificates that a server must be vouched for by,
    /// instead of the system's, when `sslmode=require` is asked for.
    pub(crate) fn new(
        url: Option<&str>,
        roots: Option<&Path>,
        embedded: PathBuf,
    ) -> Result<Self, StoreError> {
        let Some(url) = url else {
            return Ok(Self::Sqlite(embedded));
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::DatabaseUrl {
                reason: "it must begin with postgres://".to_owned(),
            });
        }
        // The cause may hold the password: only its kind is told.
        let config: postgres::Config = url.parse().map_err(|_| StoreError::DatabaseUrl {
            reason: "it is not a PostgreSQL URL".to_owned(),
        })?;
        let tls = match config.get_ssl_mode() {
            postgres::config::SslMode::Require => Some(MakeRustlsConnect::new(tls_config(roots)?)),
            _ => None,
        };
        let mut config = config;
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .application_name("veracta");
        Ok(Self::Postgres(Box::new(Remote { config, tls })))
    }
}

impl Remote {
    /// Opens a connection to the server, under TLS when the URL asked for it.
    pub(crate) fn connect(&self) -> Result<postgres::Client, StoreError> {
        Ok(match &self.tls {
            Some(tls) => self.config.connect(tls.clone())?,
            None => self.config.connect(postgres::NoTls)?,
        })
    }
}

/// Returns how a server under TLS is trusted: its name and certificate are checked always, unlike what libpq makes of `require`.
fn tls_config(roots: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let refused = |reason: String| StoreError::DatabaseUrl { reason };
    // Another part of the program may have chosen the same already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(path) = roots else {
        return ClientConfig::with_platform_verifier().map_err(|error| {
            refused(format!("the system's certificates cannot be used: {error}"))
        });
    };
    let unreadable = |error: rustls::pki_types::pem::Error| {
        refused(format!(
            "`{}` cannot be read as PEM: {error}",
            path.display()
        ))
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let added = store.add(certificate.map_err(unreadable)?);
        added.map_err(|error| {
            refused(format!(
                "`{}` holds a certificate that cannot be used: {error}",
                path.display()
            ))
        })?;
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(store)
        .with_no_client_auth())
}
